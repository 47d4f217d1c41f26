import assert from "node:assert/strict";
import { once } from "node:events";
import { type Duplex, PassThrough } from "node:stream";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { LIVE_STREAMS_MAX, LIVE_WINDOW_BYTES, type LiveTarget } from "../contract/live.ts";
import type { SurfaceHandlers } from "../runner/handlers.ts";
import { unserved } from "../runner/unserved.fake.ts";
import { hasCode, never, openEnds, SANDBOX, START, TestRunner } from "./link-fixture.ts";

type Served = { target: LiveTarget; stream: Duplex };

/** Both ends of a started link; each stream that is opened is handed to `serve`. */
async function openLive(serve: (served: Served) => void, given: Partial<SurfaceHandlers> = {}) {
  const stack = new AsyncDisposableStack();
  const ends = stack.use(await openEnds());
  const surfaces: SurfaceHandlers = {
    ...unserved().surfaces,
    connect: async (target) => (stream) => serve({ target, stream }),
    ...given,
  };
  const runner = stack.use(await TestRunner.open(ends.folder, { surfaces }));
  const link = await ends.listener.connect(SANDBOX, null, never());
  await link.start(START, never());
  return { link, live: link.live, runner, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const echo = ({ stream }: Served): void => void stream.pipe(stream);

test("a stream carries bytes both ways, says what it is for, and ends on each side by itself", async () => {
  const targets: LiveTarget[] = [];
  await using ends = await openLive(({ target, stream }) => {
    targets.push(target);
    stream.pipe(stream);
  });
  for (const target of ["port.65535", "desktop", "jupyter", "process"] as const) {
    const stream = await ends.live.connect(target, never());
    stream.end(`for ${target}`);
    assert.equal(String(Buffer.concat(await stream.toArray())), `for ${target}`);
  }
  assert.deepEqual(targets, ["port.65535", "desktop", "jupyter", "process"]);
});

test("a refusal of the runner has its code and sentence", async () => {
  const refuse = async (): Promise<never> => {
    throw new AppError({
      code: "conflict",
      message: "This image has no desktop; the template `desktop` has one.",
    });
  };
  await using ends = await openLive(echo, { connect: refuse, service: refuse });
  const asked = [() => ends.live.connect("desktop", never()), () => ends.live.service("jupyter", never())];
  for (const ask of asked) {
    await assert.rejects(
      ask,
      (error) => hasCode("conflict")(error) && /template `desktop`/.test(String(error)),
    );
  }
});

test("streams that nobody reads, as many as there can be but one, hold up neither another stream nor the link", async () => {
  let filling = 0;
  const full = Promise.withResolvers<void>();
  await using ends = await openLive(({ target, stream }) => {
    if (target === "desktop") stream.pipe(stream);
    else {
      const flood = new PassThrough();
      flood.pipe(stream);
      flood.write(Buffer.alloc(4 * LIVE_WINDOW_BYTES));
      filling += 1;
      if (filling === LIVE_STREAMS_MAX - 1) full.resolve();
    }
  });
  const unread: Duplex[] = [];
  for (let n = 1; n < LIVE_STREAMS_MAX; n += 1) unread.push(await ends.live.connect(`port.${n}`, never()));
  await full.promise;
  const stream = await ends.live.connect("desktop", never());
  stream.end(Buffer.alloc(8 * LIVE_WINDOW_BYTES, "x"));
  let length = 0;
  for await (const chunk of stream) length += chunk.length;
  assert.equal(length, 8 * LIVE_WINDOW_BYTES);
  assert.deepEqual(await ends.live.ports(never()), { ports: [] });
  await ends.link.stop({ cause: "cancelled" }, never());
  for (const one of unread) one.destroy();
});

test("one stream too many is refused with what to do, and there is room again when one has closed", async () => {
  await using ends = await openLive(echo);
  const open: Duplex[] = [];
  for (let n = 1; n <= LIVE_STREAMS_MAX; n += 1) open.push(await ends.live.connect(`port.${n}`, never()));
  await assert.rejects(ends.live.connect("desktop", never()), hasCode("too_many_requests"));
  const closed = once(open[0] ?? assert.fail(), "close");
  open[0]?.destroy();
  await closed;
  (await ends.live.connect("desktop", never())).destroy();
  for (const one of open) one.destroy();
});

test("a live connection that is lost cuts its streams, not the link, and the next stream waits for the new one", async () => {
  await using ends = await openLive(echo);
  const stream = await ends.live.connect("desktop", never());
  const cut = once(stream, "error");
  assert("peer" in ends.live);
  (ends.live.peer as { destroy(why: string): void }).destroy("the test cut it");
  assert.match(String((await cut)[0]), /cut|lost/);
  const again = await ends.live.connect("desktop", never());
  again.end("back");
  assert.equal(String(Buffer.concat(await again.toArray())), "back");
  assert.equal(ends.link.lost.aborted, false);
});

test("what the runner gives as ports, terminals or a token is checked", async () => {
  const wrong = {
    ports: async () => ({ ports: [{ port: 70_000, address: "", pid: null, process: null }] }),
    terminals: () => ({
      terminals: [{ id: "../x", command: "", started_at: "", attached: 0, columns: 1, rows: 1 }],
    }),
    service: async () => ({ token: "short" }),
  };
  await using ends = await openLive(echo, wrong);
  await assert.rejects(ends.live.ports(never()), hasCode("protocol_violated"));
  await assert.rejects(ends.live.terminals(never()), hasCode("protocol_violated"));
  await assert.rejects(ends.live.service("jupyter", never()), hasCode("protocol_violated"));
});

test("opening that is given up leaves nothing open on the other side", async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  await using ends = await openLive(echo, {
    connect: (_, signal) => {
      asked.resolve(signal);
      return new Promise(() => undefined);
    },
  });
  const giving_up = new AbortController();
  const opening = ends.live.connect("desktop", giving_up.signal);
  const there = await asked.promise;
  giving_up.abort(new Error("enough"));
  await assert.rejects(opening, /enough/);
  if (!there.aborted) await once(there, "abort");
});
