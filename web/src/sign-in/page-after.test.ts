import assert from "node:assert/strict";
import { test } from "node:test";
import { pageAfter } from "./page-after.ts";

const ORIGIN = "http://sealwork.localhost:8000";

test("a sign-in leads back to the page that wanted it", () => {
  for (const page of ["/", "/job/x?tab=files&at=3#y", "/?text=a//b", "/settings/tokens"])
    assert.equal(pageAfter(page, ORIGIN), page);
  assert.equal(pageAfter(undefined, ORIGIN), "/");
  assert.equal(pageAfter("/sign-in?to=/new", ORIGIN), "/");
});

test("it leads nowhere else, however that is written", () => {
  for (const to of [
    "https://other.example/x",
    "//other.example",
    "/\\other.example",
    "\\\\other.example",
    "/.//other.example",
    "/x/..//other.example",
    `${ORIGIN}//other.example`,
    "http://sealwork.localhost:8001/",
    "http://sealwork.localhost:8000@other.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    " javascript:alert(1)",
    "/\t/other.example",
  ])
    assert.equal(pageAfter(to, ORIGIN), "/", to);
});
