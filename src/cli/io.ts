import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { browse } from "./browse.ts";

/** All of the process that the command line client touches, handed in so that tests can be the process. */
export type Io = {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  env: Record<string, string | undefined>;
  /** The folder that relative paths of the command line start from. */
  cwd: string;
  /** Which of the three streams is a terminal (stdin: one that may be read now), and how large that terminal is now. */
  terminal: { stdin: boolean; stdout: boolean; stderr: boolean; columns(): number; rows(): number };
  /** Calls the handler whenever the terminal has changed its size, until disposed. */
  on_resize(handler: () => void): Disposable;
  /**
   * Until disposed, the terminal hands over every key as it is typed, Ctrl-C included, and shows none of them. The handler is called when
   * the process is asked to end meanwhile; the terminal can then be put right before it does.
   */
  raw_keys(ending: () => void): Disposable;
  /** Calls the handler for each Ctrl-C until disposed; while none is registered, Ctrl-C ends the process. */
  on_interrupt(handler: () => void): Disposable;
  /** Does what Ctrl-C does; a terminal whose keys are read one by one reports it as a key. */
  interrupt(): void;
  /** Shows an address in the person's browser; resolves with whether there is one. */
  browse(url: string): Promise<boolean>;
  /** States the code that the process shall end with; the last one given counts. */
  exit_code(code: number): void;
};

const COLUMNS_WHEN_UNKNOWN = 80;
const ROWS_WHEN_UNKNOWN = 24;
const ENDING = ["SIGTERM", "SIGHUP"] as const;

type Host = Pick<
  NodeJS.Process,
  "stdin" | "stdout" | "stderr" | "env" | "platform" | "cwd" | "exitCode" | "on" | "off" | "pid" | "kill"
>;

/** The Io of a real process. */
export function createIo(host: Host): Io {
  return {
    stdin: host.stdin,
    stdout: host.stdout,
    stderr: host.stderr,
    env: host.env,
    cwd: host.cwd(),
    terminal: {
      stdin: host.stdin.isTTY === true && inForeground(),
      stdout: host.stdout.isTTY === true,
      stderr: host.stderr.isTTY === true,
      // A terminal that was never told its size says 0.
      columns: () => host.stdout.columns || host.stderr.columns || COLUMNS_WHEN_UNKNOWN,
      rows: () => host.stdout.rows || host.stderr.rows || ROWS_WHEN_UNKNOWN,
    },
    on_resize(handler) {
      host.stdout.on("resize", handler);
      return { [Symbol.dispose]: () => void host.stdout.off("resize", handler) };
    },
    raw_keys(ending) {
      host.stdin.setRawMode(true);
      // The platform leaves it to the terminal to begin a new line for every line feed, by which programs only go down. Giving the keys back
      // undoes this as well.
      spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
      for (const signal of ENDING) host.on(signal, ending);
      return {
        [Symbol.dispose]() {
          for (const signal of ENDING) host.off(signal, ending);
          host.stdin.setRawMode(false);
        },
      };
    },
    on_interrupt(handler) {
      host.on("SIGINT", handler);
      return { [Symbol.dispose]: () => void host.off("SIGINT", handler) };
    },
    interrupt: () => void host.kill(host.pid, "SIGINT"),
    browse: (url) => browse({ platform: host.platform, env: host.env }, url),
    exit_code(code) {
      host.exitCode = code;
    },
  };
}

/**
 * Whether the terminal would let this process read: one in the background (`sealwork run … &`) is stopped by the kernel when it tries.
 * From proc(5): after the program's name come state, ppid, pgrp, session, tty_nr, tpgid. Where there is no /proc, the foreground is assumed.
 */
function inForeground(): boolean {
  let stat: string;
  try {
    stat = readFileSync("/proc/self/stat", "utf8");
  } catch {
    return true;
  }
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}

/** Writes and waits while the reader is slow, so that output never piles up in memory. */
export async function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      stream.off("error", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
    stream.on("error", done);
  });
}

/** Whether colours may be used on a stream: it is a terminal, and neither NO_COLOR nor a dumb terminal says no. */
export function mayColour(io: Io, stream: "stdout" | "stderr"): boolean {
  return io.terminal[stream] && !io.env.NO_COLOR && io.env.TERM !== "dumb";
}
