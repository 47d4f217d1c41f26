import assert from "node:assert/strict";
import { test } from "node:test";
import { JobRequest, type JobRequestInput } from "../../../src/contract/job.ts";
import { type Draft, EMPTY_DRAFT } from "./draft.ts";
import { faultAt, faultsOf, QUANTITIES, requestOf } from "./job-request.ts";

const draft = (fields: Partial<Draft>): Draft => ({ ...EMPTY_DRAFT, prompt: "Do it.", ...fields });

test("a request says only what differs from what the server does anyway", () => {
  const { request, faults } = requestOf(draft({}));
  assert.deepEqual([request, faults.size], [{ prompt: "Do it." }, 0]);
  const some = requestOf(draft({ memory: " 2g ", hosts: "a.test, b.test\na.test", linger: "10m" })).request;
  assert.deepEqual(some, {
    prompt: "Do it.",
    limits: { memory_bytes: 2 ** 31 },
    egress: { hosts: ["a.test", "b.test"] },
    linger_s: 600,
  } satisfies JobRequestInput);
  assert.doesNotThrow(() => JobRequest.parse(some));
});

test("every quantity becomes the field that its faults are told at", () => {
  for (const [name, { loc }] of Object.entries(QUANTITIES)) {
    const { request } = requestOf(draft({ [name]: "7" }));
    const found = loc.split(".").reduce<unknown>((here, part) => Reflect.get(here as object, part), request);
    assert.equal(found, 7, loc);
    const wrong = requestOf(draft({ [name]: "7 x" }));
    assert.deepEqual([...wrong.faults.keys()], [loc]);
    assert.deepEqual(wrong.request, { prompt: "Do it." }, "what cannot be read is not sent");
  }
});

test("rows without a name or with one that is there already are told, empty ones are nothing", () => {
  const pair = (key: number, name: string, value: string) => ({ key, name, value });
  const { request, faults } = requestOf(
    draft({
      env: [pair(1, "A", "1"), pair(2, "", ""), pair(3, "A", "2")],
      labels: [pair(1, "", "x"), pair(2, "__proto__", "y")],
    }),
  );
  assert.deepEqual([request.env, Object.entries(request.labels ?? {})], [{ A: "1" }, [["__proto__", "y"]]]);
  assert.deepEqual([...faults.keys()], ["labels", "env.A"]);
});

test("faults of an answer are found by their field, those inside of it too", () => {
  const faults = faultsOf([
    { loc: ["body", "egress", "hosts", 3], msg: "no host", type: "x" },
    { loc: ["body"], msg: "all wrong", type: "x" },
  ]);
  assert.equal(faultAt(faults, "egress.hosts"), "no host");
  assert.equal(faultAt(faults, "egress.host"), undefined);
  assert.equal(faults.get(""), "all wrong");
  assert.equal(faultsOf("no list").size, 0);
});
