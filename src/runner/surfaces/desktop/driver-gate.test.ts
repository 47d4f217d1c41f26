import assert from "node:assert/strict";
import { test } from "node:test";
import { DriverGate } from "./driver-gate.ts";

const { signal: NEVER } = new AbortController();

test("while somebody drives, whoever else waits; also when the desktop passes from one to the next", async () => {
  const gate = new DriverGate();
  await gate.free(NEVER);
  gate.hold("Anna");
  let passed = false;
  const waiting = gate.free(NEVER).then(() => {
    passed = true;
  });
  gate.hold("Ben");
  await new Promise(setImmediate);
  assert.deepEqual([passed, gate.held_by, gate.drives], [false, "Ben", 1]);
  gate.hold(null);
  await waiting;
  gate.hold("Anna");
  assert.equal(gate.drives, 2);
});

test("who waits is let go with the end of the job", async () => {
  const gate = new DriverGate();
  gate.hold("Anna");
  const job = new AbortController();
  const waiting = gate.free(job.signal);
  job.abort(new Error("ended"));
  await assert.rejects(waiting, /ended/);
});
