import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { AppError, type ErrorCode } from "../contract/errors.ts";

const TAIL_LINES = 25;
const LINE_CHARACTERS = 160;
const QUIET_MS = 5000;

export type ProgressOptions = {
  /** What failed, for the message of the error. */
  what: string;
  code: ErrorCode;
  progress: (line: string) => void;
  signal: AbortSignal;
  /** Called for each message, whatever it says. */
  on_message?: () => void;
};

/**
 * Reads the JSON lines with which the engine answers builds, pulls and imports, up to their end.
 * Says each step (`Step 3/19 : …`), and in a long one every 5 s what it is at. Throws AppError with the last lines when the engine reports an error.
 * Source: Docker Engine API, `POST /build` and `POST /images/create`.
 */
export async function followProgress(stream: NodeJS.ReadableStream, options: ProgressOptions): Promise<void> {
  const { what, code, progress, signal } = options;
  const tail: string[] = [];
  let told_at = performance.now();
  const readable = stream instanceof Readable ? stream : new Readable().wrap(stream);
  const abort = () => readable.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    for await (const text of createInterface({ input: readable, crlfDelay: Number.POSITIVE_INFINITY })) {
      options.on_message?.();
      const { line, error } = readMessage(text);
      if (error !== "")
        throw new AppError({ code, message: `${what} failed: ${[...tail, error].join("\n")}` });
      if (line === "" || line.startsWith("--->") || line.startsWith("Removing intermediate")) continue;
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      if (!/^Step \d+\/\d+ /.test(line) && performance.now() - told_at < QUIET_MS) continue;
      told_at = performance.now();
      progress(line.length > LINE_CHARACTERS ? `${line.slice(0, LINE_CHARACTERS - 1)}…` : line);
    }
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", abort);
    readable.destroy();
  }
}

function readMessage(text: string): { line: string; error: string } {
  if (text.trim() === "") return { line: "", error: "" };
  const message: unknown = JSON.parse(text);
  const field = (name: string) => {
    const value: unknown =
      typeof message === "object" && message !== null ? Reflect.get(message, name) : undefined;
    return typeof value === "string" ? value.trim() : "";
  };
  // One message may hold many lines of a program that redraws its own; the newest says where it is.
  const printed = field("stream") || field("status");
  const line = printed.split(/[\r\n]/).at(-1) ?? "";
  return { line: line.replace(/\s+/g, " "), error: field("error") };
}
