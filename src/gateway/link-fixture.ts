import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import type { RunnerEvent, RunnerEventBody } from "../contract/event.ts";
import { LINK_PROTOCOL, type Start, type StopRequest } from "../contract/link.ts";
import type { LinkListener, SandboxLink } from "../core/link.ts";
import type { Outbound } from "../core/outbound.ts";
import type { RunnerHandlers } from "../runner/handlers.ts";
import { dialLink } from "../runner/link/dial.ts";
import { Outbox } from "../runner/outbox.ts";
import { unserved } from "../runner/unserved.fake.ts";
import { openLinkListener } from "./link.ts";
import type { LinkTimes } from "./link-peer.ts";
import type { OutServices } from "./out-services.ts";

/** Test support: both ends of a link in one process, over real sockets in a temporary folder. */
export const SANDBOX = "sb-1";
export const START: Start = {
  job_id: "0190a6c0-0000-7000-8000-000000000001",
  secret: "s3cret",
  agent: "script",
  prompt: "x",
  model: null,
  cli: null,
  approval: "never",
  linger_s: 0,
  network: { egress: false, npm_registry: null, pip_index_url: null, ca_pem: null },
  egress: { policy: "none", hosts: [] },
  resume: false,
  env: { A: "1" },
  limits: {
    cpus: 1,
    memory_bytes: 2 ** 30,
    disk_bytes: 2 ** 30,
    pids: 100,
    timeout_s: 60,
    idle_timeout_s: 60,
  },
};

export type Ends = AsyncDisposable & {
  folder: string;
  listener: LinkListener;
  logged: string[];
};

export async function openEnds(
  times: Partial<LinkTimes> = {},
  given: { out?: Partial<OutServices>; outbound?: Outbound } = {},
): Promise<Ends> {
  const parent = await mkdtemp(join(tmpdir(), "lk-"));
  const logged: string[] = [];
  const folder = join(parent, "s");
  const listener = listen(folder, logged, times, given.out);
  await listener.open(SANDBOX, given.outbound ?? null);
  return {
    folder,
    listener,
    logged,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await rm(parent, { recursive: true, force: true });
    },
  };
}

export function listen(
  folder: string,
  logged: string[],
  times: Partial<LinkTimes> = {},
  out: Partial<OutServices> = {},
): LinkListener {
  const closing = (connection: Duplex): void => void connection.destroy();
  return openLinkListener({
    folder,
    log: (level, message, detail) => logged.push(`${level} ${message} ${JSON.stringify(detail)}`),
    times,
    out: { models: closing, egress: closing, ...out },
  });
}

/** A runner whose handlers keep what they were asked; `given` replaces some of them. */
export class TestRunner implements AsyncDisposable {
  readonly outbox: Outbox;
  readonly asked: unknown[] = [];
  started: Start | null = null;
  readonly #link: AsyncDisposable;

  private constructor(folder: string, outbox: Outbox, given: Partial<RunnerHandlers>) {
    this.outbox = outbox;
    this.#link = dialLink({ folder, outbox, handlers: { ...this.#handlers(), ...given } });
  }

  static async open(folder: string, given: Partial<RunnerHandlers> = {}): Promise<TestRunner> {
    return new TestRunner(join(folder, SANDBOX), await Outbox.open({ folder: tmpdir() }), given);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
    await this.outbox[Symbol.asyncDispose]();
  }

  #handlers(): RunnerHandlers {
    return {
      hello: () => ({
        protocol: LINK_PROTOCOL,
        version: "0.0.0",
        epoch: this.outbox.epoch,
        job_id: this.started?.job_id ?? null,
        secret: this.started?.secret ?? null,
      }),
      start: async (start) => {
        if (this.started !== null && this.started.job_id !== start.job_id) {
          throw new AppError({ code: "conflict", message: "This runner has another job." });
        }
        this.started = start;
      },
      stop: async (request: StopRequest) => void this.asked.push(request),
      message: async (message) => {
        if (message.text === "too late")
          throw new AppError({ code: "conflict", message: "The agent has ended." });
        this.asked.push(message);
      },
      quiesce: async () => void this.asked.push("quiesce"),
      upload: async (tar) => {
        this.asked.push(await sha256Of(tar));
        return { files: 1 };
      },
      pack: () => bytes(PACK_BYTES),
      ...unserved(),
      list: async ({ path }) => {
        if (path === "gone") throw new AppError({ code: "not_found", message: "There is no folder gone." });
        return { path, entries: [], truncated: false };
      },
      read: async ({ path }, range) => {
        this.asked.push({ path, range });
        const whole = Buffer.from("0123456789");
        const content = range === null ? whole : whole.subarray(range.start, range.end + 1);
        return { size_bytes: whole.length, content: Readable.from([content]) };
      },
      blob: async (sha256) => Readable.from([sha256 === HELLO_SHA256 ? "hello" : "something else"]),
    };
  }
}

export const PACK_BYTES = 5 * 1024 * 1024 + 17;
export const HELLO_SHA256 = createHash("sha256").update("hello").digest("hex");

/** `length` bytes that are not all alike, in pieces. */
export function bytes(length: number): Readable {
  const piece = Buffer.from(Array.from({ length: 65_521 }, (_, i) => (i * 31) % 251));
  function* pieces(): Generator<Buffer> {
    for (let left = length; left > 0; left -= piece.length)
      yield piece.subarray(0, Math.min(left, piece.length));
  }
  return Readable.from(pieces(), { objectMode: false });
}

export async function sha256Of(source: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of source as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}

export const output = (data: string): RunnerEventBody => ({
  type: "step.output",
  data: { step: 1, stream: "stdout", encoding: "utf8", data },
});

/** Reads events until the one numbered `last`. */
export async function eventsTo(link: SandboxLink, after: number, last: number): Promise<RunnerEvent[]> {
  const all: RunnerEvent[] = [];
  const reading = new AbortController();
  for await (const batch of link.events(after, reading.signal)) {
    all.push(...batch);
    if (all.at(-1)?.n === last) break;
  }
  return all;
}

export const never = (): AbortSignal => new AbortController().signal;
export const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;
