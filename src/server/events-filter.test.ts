import assert from "node:assert/strict";
import { test } from "node:test";
import { AllEventsQuery, JobEventsQuery, OUTPUT_OF_MAX } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { followAllOf, followOf } from "./events-filter.ts";

const JOB = "019F0000-0000-7000-8000-00000000000A";
const ofJob = (query: Record<string, string>, last?: string) => followOf(JobEventsQuery.parse(query), last);
const ofAll = (query: Record<string, string>, last?: string) =>
  followAllOf(AllEventsQuery.parse(query), last);

test("a request for events follows, unless it asks for a page or for what is stored", () => {
  const wanted = { after: null, types: null, before: undefined, limit: undefined };
  assert.deepEqual(ofJob({}), { ...wanted, follow: true });
  assert.deepEqual(ofJob({ follow: "" }), { ...wanted, follow: true });
  assert.deepEqual(ofJob({ follow: "false" }), { ...wanted, follow: false });
  assert.deepEqual(ofJob({ before: "9" }), { ...wanted, follow: false, before: 9 });
  assert.deepEqual(ofJob({ limit: "5", follow: "0" }), { ...wanted, follow: false, limit: 5 });
  assert.deepEqual(ofJob({ after: "2", before: "9", limit: "5", types: "step.output" }), {
    after: 2,
    types: ["step.output"],
    follow: false,
    before: 9,
    limit: 5,
  });
});

test("a page that follows is refused, with the parameter that is in the way", () => {
  for (const [query, name] of [
    [{ before: "9", follow: "true" }, "before"],
    [{ limit: "9", follow: "1" }, "limit"],
    [{ before: "9", limit: "9", follow: "" }, "before"],
  ] as const)
    assert.throws(
      () => ofJob(query),
      (error) =>
        error instanceof AppError &&
        error.code === "invalid_request" &&
        error.message.includes(`\`${name}\``),
    );
});

test("the number in the query wins over Last-Event-ID, which must be one", () => {
  assert.equal(ofJob({}, "7").after, 7);
  assert.equal(ofJob({ after: "3" }, "7").after, 3);
  assert.equal(ofAll({}, "7").after, 7);
  assert.equal(ofAll({}, "").after, null);
  for (const last of ["x", "-1", "1.5", "1234567890123456"])
    assert.throws(() => ofAll({}, last), /Last-Event-ID/, last);
});

test("jobs whose output is wanted are named in either case, and so many at most", () => {
  assert.deepEqual(ofAll({ output_of: `${JOB},,${JOB}` }).output_of, [JOB.toLowerCase(), JOB.toLowerCase()]);
  assert.deepEqual(ofAll({ output_of: "" }).output_of, []);
  assert.equal(ofAll({}).output_of, undefined);
  const many = Array.from({ length: OUTPUT_OF_MAX }, () => JOB);
  assert.equal(ofAll({ output_of: many.join(",") }).output_of?.length, OUTPUT_OF_MAX);
  assert.throws(() => ofAll({ output_of: [...many, JOB].join(",") }));
  assert.throws(() => ofAll({ output_of: "not-an-id" }));
});
