import assert from "node:assert/strict";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { LINK_PROTOCOL } from "../contract/link.ts";
import { bytes, type Ends, never, openEnds, SANDBOX } from "./link-fixture.ts";

const HELLO = { protocol: LINK_PROTOCOL, version: "0", epoch: "0".repeat(32), job_id: null, secret: null };

/** A runner that answers an upload when it has seen so many bytes of it. */
function dial(
  ends: Ends,
  name: string,
  after: () => number,
  answer: (stream: ServerHttp2Stream) => void,
): Socket {
  const socket = connect(join(ends.folder, SANDBOX, name));
  socket.on("error", () => socket.destroy());
  const session = performServerHandshake(socket, { settings: { initialWindowSize: 2 ** 20 } });
  session.on("error", () => socket.destroy());
  session.on("stream", (stream, headers) => {
    stream.on("error", () => stream.destroy());
    if (headers[":path"] === "/hello") {
      stream.respond({ ":status": 200 });
      stream.end(JSON.stringify(HELLO));
      return;
    }
    let left = after();
    const seen = (length: number): void => {
      left -= length;
      if (left <= 0 && !stream.headersSent && !stream.destroyed) answer(stream);
    };
    stream.on("data", (chunk: Buffer) => seen(chunk.length));
    stream.once("end", () => seen(Number.POSITIVE_INFINITY));
    seen(0);
  });
  return socket;
}

const ANSWERS: [string, (stream: ServerHttp2Stream) => void][] = [
  [
    "says no",
    (stream) => {
      stream.respond({ ":status": 400 });
      stream.end(JSON.stringify({ code: "invalid_upload", message: "no" }));
    },
  ],
  [
    "says yes",
    (stream) => {
      stream.respond({ ":status": 200 });
      stream.end("{}");
    },
  ],
  ["resets the stream", (stream) => stream.close(8)],
];
for (const [title, answer] of ANSWERS) {
  // On Node 26 a request that is closed while its trailers are still to come can make the whole process spin, with no timer left to end it.
  test(`a runner that ${title} before an upload has ended never stops this process`, async () => {
    await using ends = await openEnds({ answer_ms: 2_000 });
    let n = 0;
    const after = (): number => (n++ % 5) * 60_000;
    const sockets = ["control", "bulk"].map((name) => dial(ends, name, after, answer));
    const link = await ends.listener.connect(SANDBOX, null, never());
    for (let round = 0; round < 10; round += 1) {
      const uploads = [1_000, 300_000, 500_000].map(async (length) => {
        const leaving = new AbortController();
        if (round % 3 === 2)
          setImmediate(() => leaving.abort(new AppError({ code: "conflict", message: "left" })));
        await link.upload(bytes(length), leaving.signal);
      });
      for (const { status, reason } of (await Promise.allSettled(uploads)) as PromiseRejectedResult[])
        assert.ok(status === ("fulfilled" as string) || reason instanceof AppError, String(reason));
    }
    assert.equal(link.lost.aborted, false);
    for (const socket of sockets) socket.destroy();
  });
}
