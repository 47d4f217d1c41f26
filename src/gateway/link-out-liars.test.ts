import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { STREAMS_MAX } from "../contract/link.ts";
import type { Outbound } from "../core/outbound.ts";
import { bytes, type Ends, hasCode, SANDBOX } from "./link-fixture.ts";
import { OUT_SESSIONS_MAX, QUESTIONS_MAX } from "./link-out.ts";
import { closed, echo, outbound, QUESTION, settled, withOut } from "./link-out-fixture.ts";
import type { OutServices } from "./out-services.ts";

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

test("however often streams are cut at random moments, in either direction, none of them looks whole", async () => {
  const arrived: Promise<string>[] = [];
  const total = 400_000;
  const outcome = (connection: Duplex): Promise<string> =>
    new Promise((resolve) => {
      let length = 0;
      connection.on("data", (chunk: Buffer) => {
        length += chunk.length;
      });
      connection.once("end", () => resolve(length === total ? "whole" : "short"));
      connection.once("close", () => resolve("cut"));
    });
  const both: OutServices["egress"] = (connection) => {
    arrived.push(outcome(connection));
    bytes(total).pipe(connection);
  };
  await withOut({ out: { egress: both, models: both } }, async ({ ends, out }) => {
    const rounds = Array.from({ length: 200 }, async (_, i) => {
      const stream = await out.connect(i % 2 === 0 ? "egress" : "models");
      arrived.push(outcome(stream));
      const source = bytes(total);
      source.pipe(stream);
      let seen = 0;
      stream.on("data", (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > i * 2500) stream.destroy();
      });
    });
    await Promise.all(rounds);
    const outcomes = await Promise.all(arrived);
    assert.equal(outcomes.length, 400);
    assert.equal(outcomes.filter((one) => one === "short").length, 0);
    assert.ok(
      outcomes.filter((one) => one === "cut").length > 50,
      "too few streams were cut for this to mean anything",
    );
    assert.deepEqual(await ends.listener.list(), [SANDBOX]);
  });
});
