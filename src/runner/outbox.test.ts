import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { parseRunnerEvent } from "../contract/event.ts";
import { MEMORY_MAX_BYTES, Outbox, SPILL_ABOVE_BYTES, SPOOL_MAX_BYTES } from "./outbox.ts";

const output = (data: string) =>
  ({ type: "step.output", data: { step: 1, stream: "stdout", encoding: "utf8", data } }) as const;
const BIG = "x".repeat(32 * 1024);

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "outbox-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Reads numbers until `last`, checking that each line is a valid event. */
async function numbers(outbox: Outbox, after: number, last: number): Promise<number[]> {
  const read: number[] = [];
  const reading = new AbortController();
  for await (const line of outbox.read(after, reading.signal)) {
    const event = parseRunnerEvent(line.trimEnd());
    assert(event !== null, line.slice(0, 200));
    read.push(event.n);
    if (event.n === last) break;
  }
  return read;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("events are numbered in the order of the calls, and read from any number on", () =>
  inFolder(async (folder) => {
    await using outbox = await Outbox.open({ folder });
    await Promise.all(range(1, 100).map((i) => outbox.emit(output(String(i)))));
    assert.match(outbox.epoch, /^[0-9a-f]{16,64}$/);
    assert.deepEqual(await numbers(outbox, 0, 100), range(1, 100));
    assert.deepEqual(await numbers(outbox, 60, 100), range(61, 100));
    const [first] = await Array.fromAsync(take(outbox.read(41, new AbortController().signal), 1));
    assert.deepEqual(JSON.parse(first ?? "").data.data, "42");
  }));

test("a reader that has read all gets the next event when it is emitted", () =>
  inFolder(async (folder) => {
    await using outbox = await Outbox.open({ folder });
    const reading = numbers(outbox, 0, 3);
    for (let i = 0; i < 3; i += 1) await outbox.emit(output("live"));
    assert.deepEqual(await reading, [1, 2, 3]);
  }));

test("a new reader ends the one before it, and an aborted one ends by itself", () =>
  inFolder(async (folder) => {
    await using outbox = await Outbox.open({ folder });
    const first = Array.fromAsync(outbox.read(0, new AbortController().signal));
    const aborting = new AbortController();
    const second = Array.fromAsync(outbox.read(0, aborting.signal));
    assert.deepEqual(await first, []);
    aborting.abort();
    assert.deepEqual(await second, []);
  }));

test("what memory does not hold is spooled to a file without a name, read back in order, and freed by ack", () =>
  inFolder(async (folder) => {
    await using outbox = await Outbox.open({ folder });
    const count = Math.ceil((MEMORY_MAX_BYTES * 4) / BIG.length);
    for (let i = 0; i < count; i += 1) await outbox.emit(output(BIG));
    assert.ok(outbox.held.memory_bytes <= MEMORY_MAX_BYTES);
    assert.ok(outbox.held.spool_slots > 0);
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual(await numbers(outbox, 0, count), range(1, count));
    assert.deepEqual(await numbers(outbox, count - 5, count), range(count - 4, count));
    outbox.ack(count - 1);
    assert.deepEqual(await numbers(outbox, count - 1, count), [count]);
    outbox.ack(count);
    assert.deepEqual(outbox.held, { memory_bytes: 0, spool_slots: 0 });
  }));

test("when memory and spool are full, emit waits until ack makes room, and nothing is lost", () =>
  inFolder(async (folder) => {
    await using outbox = await Outbox.open({ folder });
    const more = Math.ceil((SPOOL_MAX_BYTES + MEMORY_MAX_BYTES * 2) / BIG.length);
    let emitted = 0;
    const all = (async () => {
      for (; emitted < more; emitted += 1) await outbox.emit(output(BIG));
    })();
    // It stands still once nothing was kept during a hundred turns of the loop with the spool full.
    for (let still = 0, before = -1; still < 100; ) {
      await new Promise((resolve) => setImmediate(resolve));
      still =
        emitted === before && outbox.held.memory_bytes > SPILL_ABOVE_BYTES && emitted > 2000 ? still + 1 : 0;
      before = emitted;
    }
    assert.ok(emitted < more);
    assert.ok(outbox.held.memory_bytes <= MEMORY_MAX_BYTES);
    let n = 0;
    for await (const line of outbox.read(0, new AbortController().signal)) {
      n += 1;
      assert.ok(line.startsWith(`{"n":${n},`));
      if (n % 100 === 0) outbox.ack(n);
      if (n === more) break;
    }
    await all;
  }));

test("without a spool file memory is the bound, and emit waits for ack", async () => {
  await using outbox = await Outbox.open({ folder: "/nowhere/at/all" });
  const fits = Math.floor(MEMORY_MAX_BYTES / (BIG.length + 200));
  for (let i = 0; i < fits; i += 1) await outbox.emit(output(BIG));
  let kept = false;
  const waiting = outbox.emit(output(BIG)).then(() => {
    kept = true;
  });
  const also = outbox.emit(output(BIG));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(kept, false);
  outbox.ack(20);
  await Promise.all([waiting, also]);
  assert.deepEqual(await numbers(outbox, 20, fits + 2), range(21, fits + 2));
});

test("reading what was never emitted, or is acknowledged and gone, is a conflict", () =>
  inFolder(async (folder) => {
    await using outbox = await Outbox.open({ folder });
    await outbox.emit(output("1"));
    await outbox.emit(output("2"));
    outbox.ack(2);
    const conflict = (error: unknown) => error instanceof AppError && error.code === "conflict";
    assert.throws(() => outbox.read(1, new AbortController().signal), conflict);
    assert.throws(() => outbox.read(3, new AbortController().signal), conflict);
    outbox.ack(7);
    await outbox.emit(output("3"));
    assert.deepEqual(await numbers(outbox, 2, 3), [3]);
  }));

test("disposal ends readers and lets no emit wait for ever", async () => {
  const outbox = await Outbox.open({ folder: "/nowhere/at/all" });
  for (let i = 0; i < MEMORY_MAX_BYTES / (BIG.length + 200) - 1; i += 1) await outbox.emit(output(BIG));
  const waiting = assert.rejects(
    Promise.all([outbox.emit(output(BIG)), outbox.emit(output(BIG))]),
    (error) => error instanceof AppError && error.code === "shutting_down",
  );
  const reading = Array.fromAsync(outbox.read(outbox.last, new AbortController().signal));
  await outbox[Symbol.asyncDispose]();
  await waiting;
  await reading;
});

async function* take<T>(source: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let taken = 0;
  for await (const item of source) {
    yield item;
    taken += 1;
    if (taken === count) return;
  }
}
