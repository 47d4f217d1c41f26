import assert from "node:assert/strict";
import { test } from "node:test";
import { JobsQuery } from "../../../src/contract/api.ts";
import { listSearch } from "./list-search.ts";

test("whatever stands in the address of a list, the server takes it as a filter", () => {
  const long = "x".repeat(5_000);
  for (const search of [
    { status: "error", text: long, label: long },
    { status: long, text: ["a"], label: { a: 1 } },
    {},
  ] as Record<string, unknown>[]) {
    const said = Object.entries(listSearch(search)).filter(([, value]) => value !== undefined);
    assert.equal(JobsQuery.safeParse(Object.fromEntries(said)).success, true, JSON.stringify(said));
  }
  const { text, label } = JobsQuery.shape;
  const found = listSearch({ text: long, label: long });
  assert.equal(text.safeParse(`${found.text}x`).success, false, "as much as it takes");
  assert.equal(label.safeParse(`${found.label}x`).success, false, "as much as it takes");
});
