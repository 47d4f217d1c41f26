import assert from "node:assert/strict";
import { once } from "node:events";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { EVENT_MAX_BYTES } from "../contract/event-bounds.ts";
import { HEADER_SIZE, LINK_PROTOCOL, TRAILER_GMAC, TRAILER_LENGTH } from "../contract/link.ts";
import { sumOf } from "../contract/stream-check.ts";
import type { SandboxLink } from "../core/link.ts";
import {
  type Ends,
  eventsTo,
  hasCode,
  never,
  openEnds,
  output,
  SANDBOX,
  START,
  sha256Of,
  TestRunner,
} from "./link-fixture.ts";

type Answer = (stream: ServerHttp2Stream, path: string) => void;
const HELLO = { protocol: LINK_PROTOCOL, version: "0", epoch: "0".repeat(32), job_id: null, secret: null };

const json =
  (value: unknown, status = 200): Answer =>
  (stream) => {
    stream.respond({ ":status": status });
    stream.end(JSON.stringify(value));
  };

/** Something in the sandbox that dials one socket and answers as told. */
function dial(ends: Ends, name: string, routes: Record<string, Answer>): Socket {
  const socket = connect(join(ends.folder, SANDBOX, name));
  socket.on("error", () => socket.destroy());
  const session = performServerHandshake(socket, { settings: { initialWindowSize: 2 ** 20 } });
  session.on("error", () => socket.destroy());
  session.on("stream", (stream, headers) => {
    stream.on("error", () => stream.destroy());
    const path = headers[":path"] ?? "";
    routes[path.split("?")[0] ?? ""]?.(stream, path);
  });
  return socket;
}

/** Resolves at the socket's end, however that came. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

/** A whole runner of lies: hello is good, unless told otherwise. */
async function lying(
  routes: Record<string, Answer>,
  run: (link: SandboxLink) => Promise<void>,
): Promise<void> {
  await using ends = await openEnds({ answer_ms: 300 });
  const all = { "/hello": json(HELLO), ...routes };
  const sockets = [dial(ends, "control", all), dial(ends, "bulk", all)];
  try {
    await run(await ends.listener.connect(SANDBOX, null, never()));
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

const event = (n: number, type = "step.output"): string =>
  `${JSON.stringify({ n, at: new Date().toISOString(), ...output("x"), type })}\n`;
const text =
  (...parts: string[]): Answer =>
  (stream) => {
    stream.respond({ ":status": 200 });
    for (const part of parts) stream.write(Buffer.from(part));
  };

const ending =
  (content: string): Answer =>
  (stream) => {
    stream.respond({ ":status": 200 });
    stream.end(content);
  };

const lies: [string, string][] = [
  ["a number that was left out", event(1) + event(3)],
  ["a number that comes twice", event(1) + event(1)],
  ["a number that is none", event(1) + event(-2)],
  ["a type that no runner may send", event(1, "job.ended")],
  ["a type that is a name of every object", event(1, "constructor")],
  ["what is no JSON", "hello\n"],
  ["an empty line", "\n"],
  ["a line that is too long and never ends", "x".repeat(EVENT_MAX_BYTES + 1)],
  ["a line that is too long", `${event(1).trimEnd()}${" ".repeat(EVENT_MAX_BYTES)}\n`],
];
for (const [title, content] of lies) {
  test(`among events, ${title} breaks the rules`, () =>
    lying({ "/events": text(content) }, async (link) => {
      await assert.rejects(eventsTo(link, 0, 99), hasCode("protocol_violated"));
    }));
}

test("what was good before a lie is handed on", () =>
  lying({ "/events": text(event(1), event(2), "lie\n") }, async (link) => {
    const numbers: number[] = [];
    await assert.rejects(async () => {
      for await (const batch of link.events(0, never())) numbers.push(...batch.map(({ n }) => n));
    }, hasCode("protocol_violated"));
    assert.ok(numbers.length === 0 || numbers[0] === 1);
  }));

test("a stream of events that just ends is a lost link, not the end of the events", () =>
  lying({ "/events": ending(event(1)) }, async (link) => {
    await assert.rejects(eventsTo(link, 0, 99), hasCode("link_lost"));
  }));

test("answers that are too large, no JSON, of another shape, or refusals without a known code break the rules", () =>
  lying(
    {
      "/files": (stream, path) => {
        if (path.includes("large")) text("[", "1,".repeat(6_000_000))(stream, path);
        else if (path.includes("shape")) json({ path: 7, entries: "all" })(stream, path);
        else if (path.includes("code")) json({ code: "__proto__", message: "x" }, 400)(stream, path);
        else if (path.includes("silent")) json("no", 500)(stream, path);
        else ending("{")(stream, path);
      },
    },
    async (link) => {
      for (const path of ["large", "shape", "code", "silent", "cut"]) {
        await assert.rejects(
          link.list({ root: "workspace", path }, never()),
          hasCode("protocol_violated"),
          path,
        );
      }
      assert.equal(link.lost.aborted, false);
    },
  ));

test("a request that is never answered, or whose answer never ends, is given up", () =>
  lying({ "/stop": () => undefined, "/files": text("[") }, async (link) => {
    await assert.rejects(link.stop({ cause: "cancelled" }, never()), hasCode("link_lost"));
    await assert.rejects(link.list({ root: "workspace", path: "" }, never()), hasCode("link_lost"));
  }));

const trailing =
  (trailers: Record<string, string> | null): Answer =>
  (stream) => {
    stream.respond({ ":status": 200, [HEADER_SIZE]: "3" }, { waitForTrailers: trailers !== null });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
    stream.end("abc");
  };
const ABC_SUM = sum("abc");
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

function sum(text: string): string {
  const made = sumOf("gmac");
  made.update(Buffer.from(text));
  return made.digest();
}

test("a pack without trailers was cut; with another hash or length it is a lie; with the right ones it is good", async () => {
  const packs: [Record<string, string> | null, string][] = [
    [null, "link_lost"],
    [{ [TRAILER_LENGTH]: "3" }, "protocol_violated"],
    [{ [TRAILER_LENGTH]: "3", [TRAILER_GMAC]: "0".repeat(32) }, "protocol_violated"],
    [{ [TRAILER_LENGTH]: "4", [TRAILER_GMAC]: ABC_SUM }, "protocol_violated"],
  ];
  for (const [trailers, code] of packs) {
    await lying({ "/pack": trailing(trailers) }, async (link) => {
      await assert.rejects(sha256Of(await link.pack(never())), hasCode(code));
    });
  }
  await lying({ "/pack": trailing({ [TRAILER_LENGTH]: "3", [TRAILER_GMAC]: ABC_SUM }) }, async (link) => {
    assert.equal(await sha256Of(await link.pack(never())), ABC);
  });
});

test("a pack whose connection is cut, or that stands still, is an error", async () => {
  await lying({ "/pack": text("abc") }, async (link) => {
    const pack = await link.pack(never());
    await assert.rejects(sha256Of(pack), hasCode("link_lost"));
  });
  await lying(
    {
      "/pack": (stream, path) => {
        text("abc")(stream, path);
        setImmediate(() => stream.session?.destroy());
      },
    },
    async (link) => {
      await assert.rejects(async () => sha256Of(await link.pack(never())), hasCode("link_lost"));
      if (!link.lost.aborted) await once(link.lost, "abort");
    },
  );
});

test("more bytes of a file than were asked for, or no size, break the rules", () =>
  lying({ "/file": trailing({ [TRAILER_LENGTH]: "3", [TRAILER_GMAC]: ABC_SUM }) }, async (link) => {
    const { content } = await link.read({ root: "workspace", path: "x" }, { start: 0, end: 1 }, never());
    await assert.rejects(sha256Of(content), hasCode("protocol_violated"));
  }));

test("a flood of events waits in the sandbox while nobody reads it", async () => {
  let accepted = 0;
  const flooding = Promise.withResolvers<void>();
  await lying(
    {
      "/events": (stream) => {
        stream.respond({ ":status": 200 });
        let n = 0;
        const flood = (): void => {
          let more = true;
          while (more && !stream.destroyed) {
            const line = event(++n);
            more = stream.write(line);
            accepted += line.length;
          }
        };
        stream.on("drain", flood);
        flood();
        flooding.resolve();
      },
    },
    async (link) => {
      const events = link.events(0, never())[Symbol.asyncIterator]();
      await events.next();
      await flooding.promise;
      for (
        let still = 0, before = -1;
        still < 50;
        still = accepted === before ? still + 1 : 0, before = accepted
      ) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.ok(accepted < 4 * 1024 * 1024, `${accepted} bytes left the sandbox`);
      await events.return?.();
    },
  );
});

test("a hello that is none ends the waiting for this sandbox, and only for this one", async () => {
  await using ends = await openEnds();
  await ends.listener.open("sb-2", null);
  const other = new AbortController();
  const untouched = ends.listener.connect("sb-2", null, other.signal);
  for (const lie of [{ ...HELLO, epoch: "../.." }, { ...HELLO, protocol: 99 }, "hi", null]) {
    const waiting = ends.listener.connect(SANDBOX, null, never());
    const socket = dial(ends, "control", { "/hello": json(lie) });
    await assert.rejects(waiting, hasCode("protocol_violated"));
    await closed(socket);
  }
  other.abort(new Error("was still waiting"));
  await assert.rejects(untouched, /was still waiting/);
});

test("a runner of the release before this one is served, and is never sent a message that it could not take", () =>
  lying({ "/hello": json({ ...HELLO, protocol: 1 }), "/stop": json({}) }, async (link) => {
    await link.stop({ cause: "cancelled" }, never());
    await assert.rejects(link.message({ id: "m-1", text: "hello" }, never()), hasCode("conflict"));
  }));

test("garbage, silence, a hello that never ends and endless headers are dropped, and the runner still gets in", async () => {
  await using ends = await openEnds({ hello_ms: 200 });
  const raw = (bytes: Buffer | null): Socket => {
    const socket = connect(join(ends.folder, SANDBOX, "control"));
    socket.on("error", () => socket.destroy());
    socket.resume();
    if (bytes !== null) socket.write(bytes);
    return socket;
  };
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  // HEADERS without END_HEADERS on stream 1, then CONTINUATION frames that never end it.
  const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 1]);
  const more = Buffer.concat([Buffer.from([0, 0x40, 0, 9, 0, 0, 0, 0, 1]), Buffer.alloc(0x4000)]);
  const sockets = [
    raw(Buffer.alloc(100_000, "GET / HTTP/1.1\r\n")),
    raw(null),
    raw(settings),
    raw(Buffer.concat([settings, head, ...Array.from({ length: 100 }, () => more)])),
    dial(ends, "control", { "/hello": text("{") }),
    dial(ends, "control", { "/hello": () => undefined }),
  ];
  await Promise.all(sockets.map((socket) => closed(socket)));
  await using _runner = await TestRunner.open(ends.folder);
  await ends.listener.connect(SANDBOX, null, never());
  assert.ok(ends.logged.length >= 1 && ends.logged.length <= 4, ends.logged.join("\n"));
});

test("more connections than may wait are closed at once", async () => {
  await using ends = await openEnds({ hello_ms: 60_000 });
  const sockets = Array.from({ length: 30 }, () => {
    const socket = connect(join(ends.folder, SANDBOX, "control"));
    socket.on("error", () => socket.destroy());
    return socket.resume();
  });
  // Eight may wait for a minute each; all others must go before the test ends.
  const { promise, resolve } = Promise.withResolvers<void>();
  let gone = 0;
  for (const socket of sockets) {
    socket.once("close", () => {
      gone += 1;
      if (gone === 22) resolve();
    });
  }
  await promise;
  for (const socket of sockets) socket.destroy();
});

test("who does not know the secret, or names another job, is turned away, and the right runner is waited for", async () => {
  await using ends = await openEnds();
  const liar = { ...HELLO, job_id: START.job_id, secret: "guessed" };
  const waiting = ends.listener.connect(SANDBOX, START.secret, never());
  const first = dial(ends, "control", { "/hello": json(liar) });
  const second = dial(ends, "bulk", { "/hello": json(HELLO) });
  await Promise.all([closed(first), closed(second)]);
  const right = { ...HELLO, job_id: START.job_id, secret: START.secret };
  const sockets = ["control", "bulk"].map((name) =>
    dial(ends, name, { "/hello": json(right), "/start": json({}) }),
  );
  const link = await waiting;
  assert.equal(link.hello.secret, START.secret);
  await link.start(START, never());
  await link.close();
  const wrong = dial(ends, "control", { "/hello": json({ ...right, job_id: "another" }) });
  await closed(wrong);
  assert.equal(ends.logged.filter((line) => line.includes("secret of its job")).length, 1);
  for (const socket of sockets) socket.destroy();
});

test("a second connection is dropped while the first one lives, and takes its place when that is gone", async () => {
  await using ends = await openEnds();
  const runner = await TestRunner.open(ends.folder);
  const link = await ends.listener.connect(SANDBOX, null, never());
  const second = dial(ends, "control", { "/hello": json(HELLO) });
  await closed(second);
  assert.equal(link.lost.aborted, false);
  await link.stop({ cause: "cancelled" }, never());
  await runner[Symbol.asyncDispose]();
  if (!link.lost.aborted) await once(link.lost, "abort");
  await using _next = await TestRunner.open(ends.folder);
  const relinked = await ends.listener.connect(SANDBOX, null, never());
  assert.notEqual(relinked.hello.epoch, link.hello.epoch);
});

test("a runner that stops answering pings loses its place to a new connection", async () => {
  await using ends = await openEnds({ ping_ms: 100 });
  const frozen = ["control", "bulk"].map((name) => dialThroughIce(ends, name));
  const link = await ends.listener.connect(SANDBOX, null, never());
  for (const { freeze } of frozen) freeze();
  await using _runner = await TestRunner.open(ends.folder);
  if (!link.lost.aborted) await once(link.lost, "abort");
  const relinked = await ends.listener.connect(SANDBOX, null, never());
  assert.notEqual(relinked.hello.epoch, link.hello.epoch);
});

/** A good runner whose bytes can be held up for ever, while its socket stays open. */
function dialThroughIce(ends: Ends, name: string): { freeze: () => void } {
  const socket = connect(join(ends.folder, SANDBOX, name));
  socket.on("error", () => socket.destroy());
  const [near, far] = duplexPair();
  socket.pipe(far).pipe(socket);
  socket.once("close", () => near.destroy());
  const session = performServerHandshake(near);
  session.on("error", () => near.destroy());
  session.on("stream", (stream) => json(HELLO)(stream, "/hello"));
  return {
    freeze: () => {
      socket.unpipe(far);
      // Read on, so that the other side's end is noticed; nothing of it reaches the runner.
      socket.resume();
    },
  };
}
