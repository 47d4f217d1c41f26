import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue } from "./queue.ts";

const job = (job_id: string, priority: number, minute: number) => ({
  job_id,
  priority,
  scheduled_at: `2026-01-01T00:${String(minute).padStart(2, "0")}:00.000Z`,
});

test("the highest priority comes first, and among equals the oldest", () => {
  const queue = new Queue();
  for (const one of [job("late", 0, 9), job("low", -5, 1), job("early", 0, 2), job("high", 7, 8)])
    queue.add(one);
  assert.deepEqual(
    [queue.take(), queue.take(), queue.take(), queue.take(), queue.take()],
    ["high", "early", "late", "low", null],
  );
});

test("a job of the same age as another comes after it, so that the order of arrival holds", () => {
  const queue = new Queue();
  for (const id of ["a", "b", "c"]) queue.add(job(id, 0, 1));
  assert.deepEqual([queue.take(), queue.take(), queue.take()], ["a", "b", "c"]);
});

test("a removed job is not given, and removing it again says so", () => {
  const queue = new Queue();
  queue.add(job("a", 0, 1));
  queue.add(job("b", 0, 2));
  assert.equal(queue.remove("a"), true);
  assert.equal(queue.remove("a"), false);
  assert.equal(queue.take(), "b");
  assert.equal(queue.size, 0);
});
