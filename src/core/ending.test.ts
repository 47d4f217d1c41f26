import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxStatus } from "./driver.ts";
import { EndingOnce, endingAfterAbsence, endingOfAgent, endingOfSandbox, endingOfStart } from "./ending.ts";
import { COMPLETE, cancelled } from "./lifecycle.ts";

const exited: SandboxStatus = {
  id: "s1",
  job_id: "j1",
  volume: "v1",
  state: "exited",
  exit_code: 70,
  reason: "exited",
  printed: "the runner fell over\n",
};

test("the first cause of an end wins, and later ones are told so", () => {
  const ending = new EndingOnce();
  assert.equal(ending.signal.aborted, false);
  assert.equal(ending.set(cancelled()), true);
  assert.equal(ending.set(COMPLETE), false);
  assert.equal(ending.value?.status, "cancelled");
  assert.equal(ending.signal.aborted, true);
});

test("a runner cannot give a reason that is not a runner's to give", () => {
  const said = {
    outcome: "failed" as const,
    reason: { code: "cancelled_by_user" as const, message: "It was you.", hint: "" },
    exit_code: 1,
    summary: "",
  };
  assert.deepEqual(endingOfAgent(said).reason?.code, "agent_failed");
  assert.equal(
    endingOfAgent({ ...said, reason: { ...said.reason, code: "step_failed" } }).reason?.code,
    "step_failed",
  );
  assert.equal(endingOfAgent({ ...said, reason: null }).status, "error");
  assert.deepEqual(endingOfAgent({ ...said, outcome: "complete" }), COMPLETE);
});

test("a dead sandbox is told by what killed it", () => {
  assert.equal(endingOfSandbox({ ...exited, reason: "oom", exit_code: 137 }).reason?.code, "out_of_memory");
  assert.match(endingOfSandbox(exited).reason?.message ?? "", /exit code 70.*the runner fell over/);
  assert.equal(endingOfSandbox(null).reason?.code, "sandbox_died");
  assert.equal(endingAfterAbsence(exited).reason?.code, "orchestrator_lost");
  assert.equal(endingAfterAbsence({ ...exited, reason: "oom" }).reason?.code, "out_of_memory");
  assert.equal(endingOfStart(exited).reason?.code, "sandbox_start_failed");
  assert.equal(endingOfStart({ ...exited, reason: "image_missing" }).reason?.code, "image_missing");
});
