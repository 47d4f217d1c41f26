import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phase } from "../contract/job.ts";
import {
  COMPLETE,
  cancelled,
  failed,
  initialState,
  toEnded,
  toPacking,
  toStarting,
  toWorking,
} from "./lifecycle.ts";

const AT = "2026-01-01T00:00:00.000Z";
const SANDBOX = { sandbox_id: "s1", volume: "v1", link_secret: "secret" };
const PACKED = {
  artifact: { size_bytes: 1, sha256: "0".repeat(64), files: 1, left_out: 0 },
  summary: "Done.",
  exit_code: null,
};

test("a job goes from queued to ended, and shows an ended status only at the end", () => {
  let state = initialState();
  const seen = [state.status];
  const go = (transition: { change: object }) => {
    state = { ...state, ...transition.change };
    seen.push(state.status);
  };
  go(toStarting(state, AT, SANDBOX));
  go(toWorking(state, AT));
  go(toPacking(state, AT, COMPLETE));
  assert.equal(state.ended_at, null);
  go(toEnded(state, AT, PACKED));
  assert.deepEqual(seen, ["pending", "pending", "running", "running", "complete"]);
  assert.equal(state.phase, "ended");
  assert.equal(state.result?.artifact?.sha256, PACKED.artifact.sha256);
});

test("every transition tells its phase and status in an event of the same transaction", () => {
  const { change, events } = toStarting(initialState(), AT, SANDBOX);
  assert.deepEqual(events, [{ type: "phase.changed", data: { phase: "starting", status: "pending" } }]);
  assert.deepEqual(change, { ...SANDBOX, starting_at: AT, phase: "starting", status: "pending" });
});

test("the end tells artifact, phase and job, in this order", () => {
  const state = { ...initialState(), phase: "packing" as const, ending: failed("timed_out", "Too slow.") };
  const { events, change } = toEnded(state, AT, PACKED);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["artifact.packed", "phase.changed", "job.ended"],
  );
  assert.equal(change.status, "error");
  assert.equal(change.reason?.code, "timed_out");
  assert.ok((change.reason?.hint.length ?? 0) > 10, "a reason has a hint that a person can act on");
});

test("every phase but ended can go to packing, so that every job can end", () => {
  for (const phase of ["queued", "starting", "working", "waiting"] satisfies Phase[])
    assert.equal(toPacking({ ...initialState(), phase }, AT, cancelled()).change.phase, "packing");
});

test("moves that skip or repeat a phase are refused as our own bug", () => {
  const ended = { ...initialState(), phase: "ended" as const };
  assert.throws(() => toWorking(initialState(), AT), /cannot go from queued to working/);
  assert.throws(() => toPacking(ended, AT, COMPLETE), /cannot go from ended to packing/);
  assert.throws(() => toEnded(initialState(), AT, PACKED), /ends out of packing/);
});
