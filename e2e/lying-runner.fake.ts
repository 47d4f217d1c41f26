import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { EVENT_MAX_BYTES } from "../src/contract/event-bounds.ts";
import { LINK_FOLDER_INSIDE, LINK_PROTOCOL, TRAILER_GMAC, TRAILER_LENGTH } from "../src/contract/link.ts";
import { sumOf } from "../src/contract/stream-check.ts";

/**
 * What a hostile image has for a runner. It keeps to the rules of the link but for one lie, which the image's variable LIE names, or, where
 * that is empty, the prompt's block.
 */
type Respond = (stream: ServerHttp2Stream, body: string) => void;

const EPOCH = "0".repeat(32);
let job: { job_id: string; secret: string } | null = null;
let lie = process.env.LIE ?? "";

const SAYS_HELLO: Record<string, unknown> = {
  "other-job": { job_id: "0190a6c0-0000-7000-8000-000000000001", secret: "guessed" },
  "old-protocol": { protocol: 99 },
  "hello-of-no-shape": { epoch: "../../etc" },
};

const ROUTES: Record<string, Respond> = {
  "/hello": (stream) => {
    if (lie === "huge-hello") return flood(stream, Buffer.alloc(64 * 1024, " "));
    const hello = { protocol: LINK_PROTOCOL, version: "0.1.0", epoch: EPOCH, job_id: null, secret: null };
    json(stream, { ...hello, ...job, ...(SAYS_HELLO[lie] as object) });
  },
  "/start": (stream, body) => {
    const { job_id, secret, prompt } = JSON.parse(body);
    job = { job_id, secret };
    if (lie === "") lie = /^```sh\n(.*)\n```/.exec(prompt)?.[1] ?? "";
    if (lie === "refuses-to-start") return json(stream, { code: "cancelled", message: "no" }, 499);
    if (lie === "huge-refusal") return json(stream, { code: "x".repeat(2 ** 21), message: "no" }, 500);
    json(stream, {});
  },
  "/events": (stream) => {
    stream.respond({ ":status": 200 });
    const events = EVENTS[lie];
    if (events === undefined) stream.write(said(1, "agent.ended", COMPLETE));
    else events(stream);
  },
  "/ack": (stream) => json(stream, {}),
  "/stop": (stream) => json(stream, {}),
  "/quiesce": (stream) => {
    if (lie !== "never-quiet") json(stream, {});
  },
  "/upload": (stream) => json(stream, { files: 1 }),
  "/blob": honestPack,
  "/pack": (stream) => (PACKS[lie] ?? honestPack)(stream),
};

const COMPLETE = { outcome: "complete", reason: null, exit_code: 0, summary: "All is well." };
const output = (data: string) => ({ step: 1, stream: "stdout", encoding: "utf8", data });

const EVENTS: Record<string, (stream: ServerHttp2Stream) => void> = {
  "wrong-n": (stream) =>
    stream.write(said(1, "step.output", output("x")) + said(3, "step.output", output("x"))),
  "unknown-type": (stream) => stream.write(said(1, "job.exploded", {})),
  "ends-the-job-itself": (stream) =>
    stream.write(said(1, "job.ended", { status: "complete", reason: null, summary: "done" })),
  "long-line": (stream) => flood(stream, Buffer.alloc(1024 * 1024, "x")),
  "no-json": (stream) => stream.write("hello\n"),
  "output-flood": (stream) => {
    let n = 0;
    endless(stream, () => said(++n, "step.output", output("x".repeat(32_000))));
  },
  "claims-cancel": (stream) => {
    const reason = { code: "cancelled_by_user", message: "You wanted it.", hint: "" };
    stream.write(said(1, "agent.ended", { ...COMPLETE, outcome: "failed", reason }));
  },
  "claims-internal": (stream) => {
    const reason = { code: "image_missing", message: "x".repeat(EVENT_MAX_BYTES - 1000), hint: "<b>" };
    stream.write(said(1, "agent.ended", { ...COMPLETE, outcome: "failed", reason }));
  },
  "huge-numbers": (stream) =>
    stream.write(
      said(1, "metrics.sampled", {
        cpu_ms: 1e308,
        memory_bytes: 1e308,
        memory_peak_bytes: 1e308,
        disk_bytes: 0,
        pids: 1e308,
      }) + said(2, "agent.ended", COMPLETE),
    ),
  "blob-of-another-name": (stream) =>
    stream.write(
      said(1, "file.changed", { path: "a", change: "created", size_bytes: 1, blob: "0".repeat(64) }),
    ),
  "says-nothing": () => undefined,
  "cuts-events": (stream) => stream.end(),
};

const PACKS: Record<string, (stream: ServerHttp2Stream) => void> = {
  "endless-tar": (stream) => {
    stream.respond({ ":status": 200 });
    stream.write(header({ name: "endless", size: 8 ** 11 - 1 }));
    endless(stream, () => Buffer.alloc(256 * 1024));
  },
  "cut-tar": (stream) => {
    stream.respond({ ":status": 200 });
    stream.end(header({ name: "cut", size: 10_000 }));
  },
  "cut-connection": (stream) => {
    stream.respond({ ":status": 200 });
    stream.write(header({ name: "cut", size: 10_000 }), () => stream.session?.destroy());
  },
  "wrong-hash": (stream) => pack(stream, file("a.txt", "a"), "0".repeat(64)),
  "no-tar": (stream) => pack(stream, Buffer.alloc(100_000, "not a tar at all ")),
  "hostile-names": (stream) =>
    pack(
      stream,
      Buffer.concat([
        file("good.txt", "good"),
        file("../../up.txt", "escaped"),
        file("/tmp/absolute.txt", "escaped"),
        file("a/../../b.txt", "escaped"),
        file(".sealwork/result.json", '{"status":"complete"}'),
        file(".sealwork/manifest.json", "{}"),
        header({ name: "device", type: "3" }),
        header({ name: "block", type: "4" }),
        header({ name: "fifo", type: "6" }),
        header({ name: "hard", type: "1", target: "/etc/passwd" }),
        header({ name: "out", type: "2", target: "/etc" }),
        header({ name: "up", type: "2", target: "../../etc" }),
        file("out/passwd", "through a symlink"),
        header({ name: "in", type: "2", target: "good.txt" }),
        file("in/side.txt", "below a symlink"),
        file("good.txt", "another of the same name"),
        file("C:\\windows.txt", "x"),
        file("new\nline.txt", "x"),
      ]),
    ),
};

function honestPack(stream: ServerHttp2Stream): void {
  pack(stream, file("good.txt", "good"));
}

function pack(stream: ServerHttp2Stream, entries: Buffer, given?: string): void {
  const tar = Buffer.concat([entries, Buffer.alloc(1024)]);
  const sum = sumOf("gmac");
  sum.update(tar);
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  stream.on("wantTrailers", () =>
    stream.sendTrailers({ [TRAILER_LENGTH]: tar.length, [TRAILER_GMAC]: given ?? sum.digest() }),
  );
  stream.end(tar);
}

function file(name: string, content: string): Buffer {
  const padding = Buffer.alloc((512 - (Buffer.byteLength(content) % 512)) % 512);
  return Buffer.concat([header({ name, size: Buffer.byteLength(content) }), Buffer.from(content), padding]);
}

/** A ustar header, written by hand since libraries refuse to write what is meant here. */
function header(entry: { name: string; size?: number; type?: string; target?: string }): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100);
  block.write("0000644\0", 100);
  block.write("0001750\0", 108);
  block.write("0001750\0", 116);
  block.write(`${(entry.size ?? 0).toString(8).padStart(11, "0")}\0`, 124);
  block.write("14700000000\0", 136);
  block.write("        ", 148);
  block.write(entry.type ?? "0", 156);
  block.write(entry.target ?? "", 157, 100);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function said(n: number, type: string, data: unknown): string {
  return `${JSON.stringify({ n, at: new Date().toISOString(), type, data })}\n`;
}

function json(stream: ServerHttp2Stream, value: unknown, status = 200): void {
  stream.respond({ ":status": status });
  stream.end(Buffer.from(JSON.stringify(value)));
}

function flood(stream: ServerHttp2Stream, piece: Buffer): void {
  if (!stream.headersSent) stream.respond({ ":status": 200 });
  endless(stream, () => piece);
}

/** Writes for as long as somebody reads. */
function endless(stream: ServerHttp2Stream, next: () => string | Buffer): void {
  while (!stream.destroyed && stream.write(next()));
  if (!stream.destroyed) stream.once("drain", () => endless(stream, next));
}

async function serve(stream: ServerHttp2Stream, path: string): Promise<void> {
  stream.on("error", () => stream.destroy());
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    return;
  }
  if (!stream.destroyed) ROUTES[path]?.(stream, Buffer.concat(chunks).toString());
}

function dial(name: string): Socket {
  const socket = connect(`${LINK_FOLDER_INSIDE}/${name}`);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => setTimeout(dial, 50, name));
  if (lie === "garbage") {
    const noise = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024, Math.random().toString())));
    };
    socket.on("connect", noise).on("drain", noise).resume();
    return socket;
  }
  // Takes everything and says nothing.
  if (lie === "silent") return socket.resume();
  // Does not even read.
  if (lie === "deaf") return socket;
  const session = performServerHandshake(socket);
  session.on("error", () => socket.destroy());
  session.on("stream", (stream, headers) => void serve(stream, (headers[":path"] ?? "").split("?")[0] ?? ""));
  return socket;
}

process.on("uncaughtException", (error) => console.error(error));
if (lie === "dies") {
  console.error("I am no runner.");
  process.exit(3);
}
const times = lie === "crowd" ? 500 : 1;
for (let i = 0; i < times; i += 1) for (const name of ["control", "bulk", "out"]) dial(name);
setInterval(() => undefined, 1_000_000);
