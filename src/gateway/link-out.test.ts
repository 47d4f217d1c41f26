import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { OUT_WINDOW_BYTES, type Question, STREAMS_MAX } from "../contract/link.ts";
import type { Outbound } from "../core/outbound.ts";
import { OutLink } from "../runner/link/out.ts";
import { serveOutPorts } from "../runner/link/out-ports.ts";
import { bytes, type Ends, hasCode, listen, never, openEnds, SANDBOX, sha256Of } from "./link-fixture.ts";
import { OUT_SESSIONS_MAX, QUESTIONS_MAX } from "./link-out.ts";
import type { OutServices } from "./out-services.ts";

const QUESTION: Question = { key: "k-1", kind: "step", title: "Run make?", detail: "make all" };

/** A job that allows nothing; `given` replaces parts of it. */
function outbound(given: Partial<Outbound> = {}): Outbound {
  return {
    job_id: "0190a6c0-0000-7000-8000-000000000001",
    providers: [],
    egress: { policy: "none", hosts: [] },
    reserve: () => Promise.reject(new AppError({ code: "budget_exhausted", message: "Nothing is left." })),
    askEgress: async () => false,
    denied: () => undefined,
    ask: async () => ({ n: 1, decision: "deny" }),
    ...given,
  };
}

const echo: OutServices["models"] = (connection) => {
  connection.on("error", () => connection.destroy());
  connection.pipe(connection);
};

type Connected = { ends: Ends; out: OutLink };
async function withOut(
  given: { out?: Partial<OutServices>; outbound?: Outbound | null },
  run: (connected: Connected) => Promise<void>,
): Promise<void> {
  const { out: services = {}, outbound: job = outbound() } = given;
  await using ends = await openEnds({}, { out: services, ...(job === null ? {} : { outbound: job }) });
  await using out = new OutLink({ folder: join(ends.folder, SANDBOX), connect_max_ms: 5_000 });
  await run({ ends, out });
}

/** As many turns of the loop as it takes for `read` to stay the same. */
async function settled(read: () => number): Promise<number> {
  for (let still = 0, before = -1; still < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    still = read() === before ? still + 1 : 0;
    before = read();
  }
  return read();
}

/** Reads one direction to its end and leaves the other open, which an iterator of the stream would not. */
async function hashOf(connection: Duplex): Promise<string> {
  const hash = createHash("sha256");
  connection.on("data", (chunk: Buffer) => hash.update(chunk));
  await once(connection, "end");
  return hash.digest("hex");
}

const closed = (stream: Duplex): Promise<unknown> =>
  stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once("close", resolve));

test("bytes go both ways untouched, and each service is given the job that answers for the sandbox", async () => {
  const seen: string[] = [];
  const job = outbound();
  const service =
    (name: string): OutServices["models"] =>
    (connection, given) => {
      seen.push(`${name} ${given === job}`);
      echo(connection, given);
    };
  await withOut(
    { out: { models: service("models"), egress: service("egress") }, outbound: job },
    async ({ out }) => {
      for (const name of ["models", "egress"] as const) {
        const stream = await out.connect(name);
        bytes(3_000_017).pipe(stream);
        assert.equal(await sha256Of(stream), await sha256Of(bytes(3_000_017)));
      }
      assert.deepEqual(seen, ["models true", "egress true"]);
    },
  );
});

test("a client that has ended its side still gets the whole answer", async () => {
  const answering: OutServices["models"] = async (connection) => {
    const asked = await hashOf(connection);
    connection.end(asked);
  };
  await withOut({ out: { models: answering } }, async ({ out }) => {
    const stream = await out.connect("models");
    stream.end("a question");
    const answer = (await stream.toArray()).join("");
    assert.match(answer, /^[0-9a-f]{64}$/);
    await closed(stream);
  });
});

test("a service that ends its side still gets all that the client has to say", async () => {
  const heard = Promise.withResolvers<string>();
  const listening: OutServices["egress"] = (connection) => {
    connection.end("enough");
    hashOf(connection).then(heard.resolve, heard.reject);
  };
  await withOut({ out: { egress: listening } }, async ({ out }) => {
    const stream = await out.connect("egress");
    stream.setEncoding("utf8");
    const [said] = await once(stream, "data");
    if (!stream.readableEnded) await once(stream, "end");
    assert.equal(said, "enough");
    bytes(700_001).pipe(stream);
    assert.equal(await heard.promise, await sha256Of(bytes(700_001)));
  });
});

test("an abrupt end is an error on the other side, never an end in good order", async () => {
  const given = Promise.withResolvers<Duplex>();
  const taking: OutServices["models"] = (connection) => given.resolve(connection);
  await withOut({ out: { models: taking } }, async ({ out }) => {
    const stream = await out.connect("models");
    stream.write("the first half");
    const connection = await given.promise;
    const reading = sha256Of(connection);
    stream.destroy();
    await assert.rejects(reading, hasCode("link_lost"));
  });
  const dropping: OutServices["models"] = (connection) => {
    connection.write("half an answer", () => connection.destroy());
  };
  await withOut({ out: { models: dropping } }, async ({ out }) => {
    const stream = await out.connect("models");
    await assert.rejects(sha256Of(stream), hasCode("link_lost"));
  });
});

test("a link that is cut is an error for every stream on both sides", async () => {
  const given: Duplex[] = [];
  const taking: OutServices["models"] = (connection) => {
    given.push(connection);
    connection.resume();
  };
  await withOut({ out: { models: taking } }, async ({ ends, out }) => {
    const streams = await Promise.all([out.connect("models"), out.connect("models")]);
    for (const stream of streams) stream.resume();
    await ends.listener[Symbol.asyncDispose]();
    await Promise.all([...streams, ...given].map(closed));
    for (const stream of [...streams, ...given])
      assert(hasCode("link_lost")(stream.errored), String(stream.errored));
  });
});

test("what nobody reads waits at the sender, in both directions, and flows on when it is read", async () => {
  const total = 50 * 1024 * 1024;
  let taken = 0;
  const given = Promise.withResolvers<Duplex>();
  await withOut({ out: { egress: (connection) => given.resolve(connection) } }, async ({ out }) => {
    const stream = await out.connect("egress");
    const connection = await given.promise;
    for (const [from, to] of [
      [stream, connection],
      [connection, stream],
    ] as const) {
      taken = 0;
      const source = bytes(total).on("data", (chunk: Buffer) => {
        taken += chunk.length;
      });
      source.pipe(from, { end: false });
      const held = await settled(() => taken);
      assert.ok(held < OUT_WINDOW_BYTES + 1024 * 1024, `${held} bytes left the sender`);
      let length = 0;
      for await (const chunk of to.iterator({ destroyOnReturn: false })) {
        length += chunk.length;
        if (length === total) break;
      }
      assert.equal(length, total);
    }
    stream.destroy();
  });
});

test("streams that nobody reads never hold up another one", async () => {
  const stuck: OutServices["egress"] = (connection) => void connection.write(Buffer.alloc(2 * 1024 * 1024));
  await withOut({ out: { models: echo, egress: stuck } }, async ({ out }) => {
    const streams = await Promise.all(Array.from({ length: 100 }, () => out.connect("egress")));
    for (const stream of streams) stream.write(Buffer.alloc(2 * 1024 * 1024));
    const stream = await out.connect("models");
    bytes(2_000_001).pipe(stream);
    assert.equal(await sha256Of(stream), await sha256Of(bytes(2_000_001)));
    for (const each of streams) each.destroy();
  });
});

test("a question comes back with the decision, however long that took", async () => {
  const decided = Promise.withResolvers<void>();
  const asked: Question[] = [];
  const ask: Outbound["ask"] = async (question) => {
    asked.push(question);
    await decided.promise;
    return { n: 3, decision: "allow" };
  };
  await withOut({ outbound: outbound({ ask }) }, async ({ out }) => {
    const asking = out.ask(QUESTION, never());
    setImmediate(decided.resolve);
    assert.equal(await asking, "allow");
    assert.deepEqual(asked, [QUESTION]);
  });
});

test("a question that is pending when the orchestrator goes is asked again of the next one, with the same key", async () => {
  const first = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<unknown>();
  const silent: Outbound["ask"] = (_question, signal) => {
    first.resolve();
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        gone.resolve(signal.reason);
        reject(signal.reason);
      });
    });
  };
  await withOut({ outbound: outbound({ ask: silent }) }, async ({ ends, out }) => {
    const asking = out.ask(QUESTION, never());
    await first.promise;
    await ends.listener[Symbol.asyncDispose]();
    await gone.promise;
    const keys: string[] = [];
    const ask: Outbound["ask"] = async ({ key }) => {
      keys.push(key);
      return { n: 1, decision: "allow" };
    };
    await using next = listen(ends.folder, [], {}, { models: echo });
    await next.open(SANDBOX, outbound({ ask }));
    assert.equal(await asking, "allow");
    assert.deepEqual(keys, ["k-1"]);
    const stream = await out.connect("models");
    stream.end("still there");
    assert.equal((await stream.toArray()).join(""), "still there");
  });
});

test("who stops asking is gone for the job too, and gets the reason", async () => {
  const aborted = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const ask: Outbound["ask"] = (_question, signal) => {
    begun.resolve();
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.resolve();
        reject(signal.reason);
      });
    });
  };
  await withOut({ outbound: outbound({ ask }) }, async ({ out }) => {
    const giving = new AbortController();
    const asking = out.ask(QUESTION, giving.signal);
    await begun.promise;
    giving.abort(new Error("the job ends"));
    await assert.rejects(asking, /the job ends/);
    await aborted.promise;
  });
});

test("what a job refuses comes back with its code, and is not asked again", async () => {
  let times = 0;
  const ask: Outbound["ask"] = async () => {
    times += 1;
    throw new AppError({ code: "conflict", message: "The job is packing." });
  };
  await withOut({ outbound: outbound({ ask }) }, async ({ out }) => {
    await assert.rejects(out.ask(QUESTION, never()), hasCode("conflict"));
    assert.equal(times, 1);
    await assert.rejects(
      out.ask({ ...QUESTION, title: "x".repeat(2000) }, never()),
      hasCode("invalid_request"),
    );
    await assert.rejects(
      out.ask({ ...QUESTION, detail: "x".repeat(100_000) }, never()),
      hasCode("body_too_large"),
    );
    assert.equal(times, 1);
  });
});

test("a sandbox that nobody answers for reaches nothing, until a job does", () =>
  withOut({ outbound: null, out: { models: echo } }, async ({ ends, out }) => {
    await assert.rejects(out.connect("models"), hasCode("not_available"));
    await assert.rejects(out.ask(QUESTION, never()), hasCode("not_available"));
    await ends.listener.open(SANDBOX, outbound());
    await ends.listener.open(SANDBOX, null);
    const stream = await out.connect("models");
    stream.end("x");
    assert.equal((await stream.toArray()).join(""), "x");
  }));

test("nobody who listens is waited for no longer than said", async () => {
  await using ends = await openEnds({}, { outbound: outbound() });
  await ends.listener.close(SANDBOX);
  await using out = new OutLink({ folder: join(ends.folder, SANDBOX), connect_max_ms: 200 });
  await assert.rejects(out.connect("models"), hasCode("link_lost"));
  const giving = new AbortController();
  const asking = out.ask(QUESTION, giving.signal);
  giving.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
});

/** Something in the sandbox that speaks HTTP/2 on `out` as it likes. */
function rogue(ends: Ends) {
  const socket = connect(join(ends.folder, SANDBOX, "out"));
  socket.on("error", () => socket.destroy());
  const session = connectHttp2("http://x", { createConnection: () => socket });
  session.on("error", () => session.destroy());
  return { session, socket };
}

async function statusOf(ends: Ends, headers: Record<string, string>): Promise<number | undefined> {
  const { session } = rogue(ends);
  const stream = session.request(headers, { endStream: true });
  const [answer] = await once(stream, "response");
  const done = once(session, "close");
  session.destroy();
  await done;
  return answer[":status"];
}

test("everything but the two streams and the question is refused", () =>
  withOut({ out: { models: echo } }, async ({ ends }) => {
    for (const authority of ["example.org:443", "MODELS", "models:80", "toString", "__proto__"]) {
      assert.equal(await statusOf(ends, { ":method": "CONNECT", ":authority": authority }), 404, authority);
    }
    for (const path of ["/", "/hello", "/approvals/", "/approvals?x", "//approvals"]) {
      assert.equal(await statusOf(ends, { ":method": "POST", ":path": path }), 404, path);
    }
    assert.equal(await statusOf(ends, { ":method": "GET", ":path": "/approvals" }), 404);
    assert.equal(await statusOf(ends, { ":method": "POST", ":path": "/approvals" }), 400);
  }));

test("a flood of streams and of questions is bounded, and the link goes on", async () => {
  let open = 0;
  let most = 0;
  const counting: OutServices["models"] = (connection) => {
    open += 1;
    most = Math.max(most, open);
    connection.once("close", () => {
      open -= 1;
    });
    connection.resume();
  };
  let asking = 0;
  const ask: Outbound["ask"] = (_question, signal) => {
    asking += 1;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  await withOut({ out: { models: counting }, outbound: outbound({ ask }) }, async ({ ends, out }) => {
    const rogues = [rogue(ends), rogue(ends)];
    for (const { session } of rogues) {
      for (let i = 0; i < 300; i += 1) {
        const stream = session.request(
          { ":method": "CONNECT", ":authority": "models" },
          { endStream: false },
        );
        stream.on("error", () => undefined);
        stream.resume();
      }
    }
    await settled(() => most);
    assert.ok(most <= STREAMS_MAX && most > 100, `${most} streams were served`);
    for (const { session } of rogues) session.destroy();
    await settled(() => open);
    assert.equal(open, 0);

    const giving = new AbortController();
    const questions = Array.from({ length: QUESTIONS_MAX + 5 }, (_, i) =>
      out.ask({ ...QUESTION, key: `k-${i}` }, giving.signal).catch((error: unknown) => error),
    );
    await settled(() => asking);
    giving.abort(new Error("over"));
    const answers = await Promise.all(questions);
    assert.equal(answers.filter(hasCode("too_many_requests")).length, 5);
    assert.equal(asking, QUESTIONS_MAX);
  });
});

test("garbage, rapid resets, endless headers and too many connections end only what they came on", () =>
  withOut({ out: { models: echo } }, async ({ ends, out }) => {
    const raw = (content: Buffer): Socket => {
      const socket = connect(join(ends.folder, SANDBOX, "out"));
      socket.on("error", () => socket.destroy());
      socket.resume().write(content);
      return socket;
    };
    const preface = Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ]);
    const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 1]);
    const more = Buffer.concat([Buffer.from([0, 0x40, 0, 9, 0, 0, 0, 0, 1]), Buffer.alloc(0x4000)]);
    const garbage = raw(Buffer.alloc(100_000, "GET / HTTP/1.1\r\n"));
    const endless = raw(Buffer.concat([preface, head, ...Array.from({ length: 100 }, () => more)]));
    await Promise.all([closed(garbage), closed(endless)]);

    const { session } = rogue(ends);
    const ended = new Promise<void>((resolve) => session.once("close", () => resolve()));
    const flood = (): void => {
      for (let i = 0; i < 200 && !session.destroyed && !session.closed; i += 1) {
        const stream = session.request(
          { ":method": "CONNECT", ":authority": "models" },
          { endStream: false },
        );
        stream.on("error", () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
      }
      if (!session.destroyed && !session.closed) setImmediate(flood);
    };
    flood();
    await ended;

    const idle = Array.from({ length: OUT_SESSIONS_MAX }, () => raw(preface));
    await Promise.all(idle.map((socket) => once(socket, "data")));
    await closed(raw(preface));
    for (const socket of idle) socket.destroy();
    const stream = await out.connect("models");
    stream.end("the runner");
    assert.equal((await stream.toArray()).join(""), "the runner");
  }));

test("programs reach the services through the loopback ports: bytes, ends and resets arrive as they are", async () => {
  const given: Duplex[] = [];
  const half: OutServices["models"] = async (connection) => connection.end(await hashOf(connection));
  const kept: OutServices["egress"] = (connection) => {
    given.push(connection);
    connection.on("data", (chunk: Buffer) => {
      if (chunk.toString() === "reset me") connection.destroy();
      else connection.write(chunk);
    });
  };
  await withOut({ out: { models: half, egress: kept } }, async ({ out }) => {
    await using served = await serveOutPorts({
      out,
      models: true,
      egress: true,
      ports: { models: 0, egress: 0 },
    });
    const dial = (port: number | undefined): Socket => {
      const socket = connect({ port: port ?? 0, host: "127.0.0.1", allowHalfOpen: true });
      return socket.on("error", () => undefined);
    };
    const asking = dial(served.ports.models);
    bytes(50 * 1024 * 1024).pipe(asking);
    assert.equal((await asking.toArray()).join(""), await sha256Of(bytes(50 * 1024 * 1024)));

    const resetting = dial(served.ports.egress);
    resetting.write("reset me");
    await once(resetting, "error");

    const leaving = dial(served.ports.egress);
    leaving.write("hello");
    await once(leaving, "data");
    leaving.resetAndDestroy();
    const last = given.at(-1);
    assert(last);
    await closed(last);
    assert(hasCode("link_lost")(last.errored), String(last.errored));
  });
});

test("a port that is not wanted is not opened, and a program's connection is reset when nothing serves it", () =>
  withOut({ outbound: null }, async ({ out }) => {
    await using served = await serveOutPorts({
      out,
      models: true,
      egress: false,
      ports: { models: 0, egress: 0 },
    });
    assert.deepEqual(Object.keys(served.ports), ["models"]);
    const socket = connect({ port: served.ports.models ?? 0, host: "127.0.0.1" });
    const [error] = await once(socket, "error");
    assert.equal(error.code, "ECONNRESET");
  }));
