import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import type { SandboxLink } from "../core/link.ts";
import {
  bytes,
  eventsTo,
  HELLO_SHA256,
  hasCode,
  listen,
  never,
  openEnds,
  output,
  PACK_BYTES,
  SANDBOX,
  START,
  sha256Of,
  TestRunner,
} from "./link-fixture.ts";

test("every request of the link reaches the runner and its answer comes back", async () => {
  await using ends = await openEnds();
  await using runner = await TestRunner.open(ends.folder);
  const link = await ends.listener.connect(SANDBOX, null, never());
  assert.equal(link.hello.epoch, runner.outbox.epoch);
  await link.start(START, never());
  await link.start(START, never());
  assert.deepEqual(runner.started, START);
  await link.stop({ cause: "cancelled" }, never());
  await link.message({ id: "m-1", text: "Use port 8080." }, never());
  await link.quiesce(never());
  const { content, size_bytes } = await link.read(
    { root: "workspace", path: "a b/ü?&.txt" },
    { start: 2, end: 5 },
    never(),
  );
  assert.deepEqual([size_bytes, (await content.toArray()).join("")], [10, "2345"]);
  const whole = await link.read({ root: "workspace", path: "x" }, null, never());
  assert.equal((await whole.content.toArray()).join(""), "0123456789");
  const beyond = await link.read({ root: "workspace", path: "x" }, { start: 8, end: 99 }, never());
  assert.equal((await beyond.content.toArray()).join(""), "89");
  assert.deepEqual(runner.asked.slice(0, 4), [
    { cause: "cancelled" },
    { id: "m-1", text: "Use port 8080." },
    "quiesce",
    { path: "a b/ü?&.txt", range: { start: 2, end: 5 } },
  ]);
  assert.deepEqual(await link.list({ root: "workspace", path: "sub" }, never()), {
    path: "sub",
    entries: [],
    truncated: false,
  });
  assert.equal((await link.blob(HELLO_SHA256, never())).toString(), "hello");
  assert.equal(await sha256Of(await link.pack(never())), await sha256Of(bytes(PACK_BYTES)));
  await link.upload(bytes(3_000_001), never());
  assert.equal(runner.asked.at(-1), await sha256Of(bytes(3_000_001)));
});

test("the runner's no comes back as the error that it was", async () => {
  await using ends = await openEnds();
  await using _runner = await TestRunner.open(ends.folder);
  const link = await ends.listener.connect(SANDBOX, null, never());
  await link.start(START, never());
  await assert.rejects(link.start({ ...START, job_id: "another" }, never()), hasCode("conflict"));
  await assert.rejects(link.list({ root: "workspace", path: "gone" }, never()), hasCode("not_found"));
  await assert.rejects(link.message({ id: "m-1", text: "too late" }, never()), hasCode("conflict"));
  await assert.rejects(eventsTo(link, 7, 8), hasCode("conflict"));
  await assert.rejects(link.blob("0".repeat(64), never()), hasCode("protocol_violated"));
});

test("the folder is open to the sandbox, its parent to nobody else, and goes with close", async () => {
  await using ends = await openEnds();
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  assert.equal(await mode(ends.folder), "700");
  assert.equal(await mode(join(ends.folder, SANDBOX)), "755");
  for (const name of ["control", "bulk", "out"])
    assert.equal(await mode(join(ends.folder, SANDBOX, name)), "666");
  assert.deepEqual(await ends.listener.open(SANDBOX, null), { folder: join(ends.folder, SANDBOX) });
  await ends.listener.open("sb-2", null);
  assert.deepEqual((await ends.listener.list()).sort(), [SANDBOX, "sb-2"].sort());
  await ends.listener.close(SANDBOX);
  assert.deepEqual(await ends.listener.list(), ["sb-2"]);
  await ends.listener.close("sb-2");
  await ends.listener.close("sb-2");
  assert.deepEqual(await readdir(ends.folder), []);
});

test("a path that is too long for a socket is refused with what to do about it", async () => {
  const listener = listen(join(tmpdir(), "x".repeat(100)), []);
  await assert.rejects(
    listener.open(SANDBOX, null),
    (error) => hasCode("setup_failed")(error) && /107/.test(String(error)),
  );
});

test("connect gives up with the signal's reason, and every later one still gets the link", async () => {
  await using ends = await openEnds();
  const giving = new AbortController();
  const waiting = ends.listener.connect(SANDBOX, null, giving.signal);
  giving.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await using _runner = await TestRunner.open(ends.folder);
  const [one, two] = await Promise.all([
    ends.listener.connect(SANDBOX, null, never()),
    ends.listener.connect(SANDBOX, null, never()),
  ]);
  assert.equal(one, two);
});

test("events come live and in batches, and again from any number on", async () => {
  await using ends = await openEnds();
  await using runner = await TestRunner.open(ends.folder);
  const link = await ends.listener.connect(SANDBOX, null, never());
  const live = eventsTo(link, 0, 2000);
  for (let i = 1; i <= 2000; i += 1) await runner.outbox.emit(output(`line ${i}`));
  const all = await live;
  assert.deepEqual(
    all.map((event) => event.n),
    Array.from({ length: 2000 }, (_, i) => i + 1),
  );
  assert.equal((await eventsTo(link, 1500, 2000)).length, 500);
  await link.ack(2000, never());
  assert.equal(runner.outbox.held.memory_bytes, 0);
});

test("nothing is doubled or lost while links are cut at random moments", async () => {
  await using ends = await openEnds();
  await using runner = await TestRunner.open(ends.folder);
  const random = seeded(8);
  const last = 3000;
  const emitting = (async () => {
    for (let i = 1; i <= last; i += 1) {
      await runner.outbox.emit(output(`${i} ${"y".repeat(Math.floor(random() * 2000))}`));
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const stored: number[] = [];
  let cuts = 0;
  while (stored.length < last) {
    const link = await ends.listener.connect(SANDBOX, null, never());
    const until = cuts < 12 ? stored.length + Math.ceil(random() * 300) : last;
    try {
      for await (const batch of link.events(stored.length, never())) {
        for (const event of batch) stored.push(event.n);
        await link.ack(stored.length, never());
        if (stored.length >= Math.min(until, last)) break;
      }
    } catch (error) {
      assert(hasCode("link_lost")(error), String(error));
    }
    if (stored.length >= last) break;
    cuts += 1;
    await link.close();
  }
  await emitting;
  assert.equal(cuts, 12);
  assert.deepEqual(
    stored,
    Array.from({ length: last }, (_, i) => i + 1),
  );
});

test("an orchestrator that comes back finds the runner on new sockets in the same folder", async () => {
  await using ends = await openEnds();
  await using runner = await TestRunner.open(ends.folder);
  const before = await ends.listener.connect(SANDBOX, null, never());
  await before.start(START, never());
  await runner.outbox.emit(output("while nobody listens"));
  await ends.listener[Symbol.asyncDispose]();
  await assert.rejects(before.ack(0, never()), hasCode("link_lost"));
  await using listener = listen(ends.folder, []);
  await listener.open(SANDBOX, null);
  const after = await listener.connect(SANDBOX, START.secret, never());
  assert.equal(after.hello.job_id, START.job_id);
  assert.equal((await eventsTo(after, 0, 1)).length, 1);
});

test("requests on control are answered while bulk carries large streams that nobody reads", async () => {
  await using ends = await openEnds();
  await using runner = await TestRunner.open(ends.folder, { pack: () => bytes(200 * 1024 * 1024) });
  const link = await ends.listener.connect(SANDBOX, null, never());
  const packs = await Promise.all([link.pack(never()), link.pack(never()), link.pack(never())]);
  const flowing = packs[0]?.resume();
  for (let i = 0; i < 200; i += 1) await link.stop({ cause: "cancelled" }, never());
  assert.equal(runner.asked.length, 200);
  assert.equal(flowing?.readableEnded, false);
  for (const pack of packs) pack.destroy();
  assert.equal((await link.list({ root: "workspace", path: "" }, never())).truncated, false);
});

test("a pack that fails midway, or whose connection is cut, is an error and never a short file", async () => {
  await using ends = await openEnds();
  const failing = async function* () {
    yield Buffer.alloc(100_000);
    throw new Error("the disk broke");
  };
  await using _runner = await TestRunner.open(ends.folder, {
    pack: () => Readable.from(failing(), { objectMode: false }),
  });
  const link = await ends.listener.connect(SANDBOX, null, never());
  await assert.rejects(sha256Of(await link.pack(never())), hasCode("link_lost"));
  assert.equal(link.lost.aborted, false);
});

test("an upload whose source fails is never taken for whole, and one that the runner refuses says why", async () => {
  await using ends = await openEnds();
  const seen = Promise.withResolvers<unknown>();
  await using _runner = await TestRunner.open(ends.folder, {
    upload: async (tar) => {
      try {
        await sha256Of(tar);
        seen.resolve("whole");
      } catch (error) {
        seen.resolve(error);
      }
      return { files: 0 };
    },
  });
  const link = await ends.listener.connect(SANDBOX, null, never());
  const failing = async function* () {
    yield Buffer.alloc(100_000);
    throw new Error("the upload's file is gone");
  };
  await assert.rejects(
    link.upload(Readable.from(failing(), { objectMode: false }), never()),
    /the upload's file is gone/,
  );
  assert(hasCode("link_lost")(await seen.promise), String(await seen.promise));
});

test("an upload that the runner cannot take ends with the runner's reason, however large it is", async () => {
  await using ends = await openEnds();
  await using _runner = await TestRunner.open(ends.folder, {
    upload: async () => {
      throw new AppError({ code: "invalid_upload", message: "The tar names a path outside." });
    },
  });
  const link = await ends.listener.connect(SANDBOX, null, never());
  await assert.rejects(link.upload(bytes(50 * 1024 * 1024), never()), hasCode("invalid_upload"));
  assert.equal((await link.list({ root: "workspace", path: "" }, never())).truncated, false);
});

test("an upload may take longer than an answer may, as long as it moves", async () => {
  await using ends = await openEnds({ answer_ms: 500 });
  await using runner = await TestRunner.open(ends.folder);
  const link = await ends.listener.connect(SANDBOX, null, never());
  async function* slow(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 20; i += 1) {
      yield Buffer.alloc(1000);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
  await link.upload(Readable.from(slow(), { objectMode: false }), never());
  assert.equal(runner.asked.length, 1);
});

test("an abort ends what it was given to, and the link lives on", async () => {
  await using ends = await openEnds();
  await using runner = await TestRunner.open(ends.folder, { pack: () => bytes(100 * 1024 * 1024) });
  const link = await ends.listener.connect(SANDBOX, null, never());
  const aborting = new AbortController();
  const pack = await link.pack(aborting.signal);
  const reading = aborted(link, aborting.signal);
  aborting.abort(new Error("no longer wanted"));
  await assert.rejects(sha256Of(pack), /no longer wanted/);
  assert.equal(await reading, 0);
  await link.stop({ cause: "timed_out" }, never());
  assert.equal(runner.asked.length, 1);
});

async function aborted(link: SandboxLink, signal: AbortSignal): Promise<number> {
  let batches = 0;
  for await (const _ of link.events(0, signal)) batches += 1;
  return batches;
}

/** Mulberry32, so that a failing round can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
