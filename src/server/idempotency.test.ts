import assert from "node:assert/strict";
import { test } from "node:test";
import { JobRequest } from "../contract/job.ts";
import { idempotencyOf } from "./idempotency.ts";

const fingerprint = (request: object, { multipart = false, secret = "s1" } = {}) =>
  idempotencyOf("key", JobRequest.parse(request), { multipart, secret })?.fingerprint;

test("the order of fields and defaults that are spelled out make no other request", () => {
  const one = fingerprint({ prompt: "x", labels: { a: "1", b: "2" } });
  assert.equal(fingerprint({ labels: { b: "2", a: "1" }, prompt: "x" }), one);
  assert.equal(fingerprint({ prompt: "x", labels: { a: "1", b: "2" }, priority: 0, patch: false }), one);
});

test("any other value, files that come along, and another installation make another fingerprint", () => {
  const all = [
    fingerprint({ prompt: "x" }),
    fingerprint({ prompt: "y" }),
    fingerprint({ prompt: "x", env: { A: "1" } }),
    fingerprint({ prompt: "x", env: { A: "2" } }),
    fingerprint({ prompt: "x" }, { multipart: true }),
    fingerprint({ prompt: "x" }, { secret: "s2" }),
  ];
  assert.equal(new Set(all).size, all.length);
});

test("without the header there is nothing to repeat", () => {
  assert.equal(
    idempotencyOf(undefined, JobRequest.parse({ prompt: "x" }), { multipart: false, secret: "s" }),
    null,
  );
});
