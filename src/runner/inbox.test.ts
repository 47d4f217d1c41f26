import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox, STAYS_MS } from "./inbox.ts";

const never = new AbortController().signal;
const inbox = () => new Inbox(async () => undefined);

test("nobody at work: the waiting ends when its time is over, and nothing is taken in any more", async () => {
  const empty = inbox();
  assert.equal(await empty.next(0, never), null);
  await assert.rejects(empty.put({ id: "1", text: "late" }), /has ended/);
});

test("who was at work just before is waited for, even by a job that does not linger; an abort ends it at once", async () => {
  const busy = inbox();
  busy.touch();
  assert.equal(busy.touched, true);
  const stopping = new AbortController();
  let over = false;
  const waiting = busy.next(0, stopping.signal).then((said) => {
    over = true;
    return said;
  });
  await new Promise(setImmediate);
  assert.equal(over, false);
  stopping.abort();
  assert.equal(await waiting, null);
});

test("what a person does while the job lingers begins its time anew", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const ends: AbortController[] = [];
  const waits: number[] = [];
  t.mock.method(AbortSignal, "timeout", (ms: number) => {
    waits.push(ms);
    const end = new AbortController();
    ends.push(end);
    return end.signal;
  });
  const lingering = inbox();
  const waiting = lingering.next(100_000, never);
  now = 99_000;
  lingering.touch();
  now = 100_000;
  ends[0]?.abort();
  while (ends.length < 2) await new Promise(setImmediate);
  now = 199_000;
  ends[1]?.abort();
  assert.equal(await waiting, null);
  assert.deepEqual(waits, [100_000, 99_000]);
  assert.ok(STAYS_MS < 99_000, "or the second wait would have been as long as that");
});

test("a message that comes is given at once, whoever is at work", async () => {
  const spoken = inbox();
  spoken.touch();
  const waiting = spoken.next(0, never);
  await spoken.put({ id: "1", text: "hello" });
  assert.deepEqual(await waiting, ["hello"]);
});
