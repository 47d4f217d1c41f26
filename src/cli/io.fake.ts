import { PassThrough, Readable } from "node:stream";
import type { Io } from "./io.ts";
import { createFakeLocalServer } from "./local-server.fake.ts";
import type { LocalServer } from "./local-server.ts";
import { runProgram } from "./program.ts";

export type FakeIo = Io & {
  out(): string;
  err(): string;
  code(): number | null;
  /** Addresses that were shown in a browser. */
  browsed: readonly string[];
  /** Types on the terminal; it must have been made with one and without `stdin`. */
  type(keys: string): void;
  /** Resolves when stdout has this text. */
  saw(text: string): Promise<void>;
  /** Resolves when stderr has this text. */
  complained(text: string): Promise<void>;
};

/** The Io of a process that exists only in a test. */
export function createFakeIo(options: {
  cwd: string;
  env?: Record<string, string | undefined>;
  stdin?: string;
  columns?: number;
  terminal?: boolean;
  browser?: boolean;
}): FakeIo {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let out = "";
  let err = "";
  let code: number | null = null;
  const handlers = new Set<() => void>();
  const browsed: string[] = [];
  const terminal = options.terminal === true;
  const keys = new PassThrough();
  const piped = () => Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]);
  stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString("utf8");
  });
  stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString("utf8");
  });
  return {
    stdin: terminal && options.stdin === undefined ? keys : piped(),
    stdout,
    stderr,
    env: options.env ?? {},
    cwd: options.cwd,
    terminal: {
      stdin: terminal,
      stdout: terminal,
      stderr: terminal,
      columns: () => options.columns ?? 80,
      rows: () => 24,
    },
    on_resize: () => ({ [Symbol.dispose]: () => undefined }),
    raw_keys: () => ({ [Symbol.dispose]: () => undefined }),
    on_interrupt(handler) {
      handlers.add(handler);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
    async browse(url) {
      browsed.push(url);
      return options.browser !== false;
    },
    exit_code(given) {
      code = given;
    },
    browsed,
    out: () => out,
    err: () => err,
    code: () => code,
    type: (text) => void keys.write(text),
    interrupt() {
      for (const handler of handlers) handler();
    },
    saw: (text) => has(stdout, () => out, text),
    complained: (text) => has(stderr, () => err, text),
  };
}

/** Resolves when what a stream has brought so far contains the text. */
function has(stream: PassThrough, all: () => string, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!all().includes(text)) return;
      stream.off("data", look);
      resolve();
    };
    stream.on("data", look);
    look();
  });
}

/** Runs a command line in such a process to its end. */
export async function runFake(
  io: FakeIo,
  argv: string[],
  local: LocalServer = createFakeLocalServer(null),
): Promise<FakeIo> {
  await runProgram(argv, io, local);
  return io;
}
