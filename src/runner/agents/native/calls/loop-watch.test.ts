import assert from "node:assert/strict";
import { test } from "node:test";
import { LoopWatch, type WatchedCall } from "./loop-watch.ts";

const call = (given: Partial<WatchedCall>): WatchedCall => ({
  name: "shell",
  input: "make",
  result: "exit code 0",
  outcome: "ok",
  ...given,
});
const failing = call({ result: "exit code 2", outcome: "failed" });

/** When the watch first spoke, by the number of the call, and how. */
function verdicts(calls: WatchedCall[]): string[] {
  const watch = new LoopWatch();
  return calls.flatMap((one, index) => {
    const { kind } = watch.see(one);
    return kind === "fine" ? [] : [`${kind} at ${index + 1}`];
  });
}

test("the same failing call is told at the third time and ends the work at the fifth", () => {
  assert.deepEqual(verdicts(Array(5).fill(failing)), ["tell at 3", "end at 5"]);
});

test("a command that fails again after something else was done is work", () => {
  const edited = (n: number) => call({ name: "edit_file", input: `edit ${n}` });
  assert.deepEqual(verdicts(Array.from({ length: 10 }, (_, n) => [failing, edited(n)]).flat()), []);
});

test("calls that differ only in how long they took are the same, and what changes is no loop", () => {
  const timed = Array.from({ length: 20 }, (_, n) => call({ result: `exit code 0 (${n / 10} s)` }));
  assert.deepEqual(verdicts(timed), ["tell at 12", "end at 20"]);
  assert.deepEqual(verdicts(timed.map((one, n) => ({ ...one, result: `line ${n}` }))), []);
});

test("two calls in turn are a loop too", () => {
  const both = [call({ input: "a" }), call({ input: "b" })];
  assert.deepEqual(verdicts(Array.from({ length: 20 }, () => both).flat()).at(-1), "end at 40");
});

test("calls that cannot be tried end the work at the fifth in a row, whatever they are", () => {
  const invalid = Array.from({ length: 5 }, (_, n) => call({ input: `${n}`, outcome: "invalid" }));
  assert.deepEqual(verdicts(invalid), ["end at 5"]);
  assert.deepEqual(verdicts([...invalid.slice(1), call({}), ...invalid.slice(1)]), []);
});
