import { spawn } from "node:child_process";
import { AppError } from "../contract/errors.ts";

const KEPT_BYTES = 64 * 1024;

export type CommandOptions = {
  cwd?: string;
  signal: AbortSignal;
  on_line?: (line: string) => void;
  /** Leaves standard error, where programs put their warnings, out of what is returned. */
  stdout_only?: boolean;
};

/**
 * Runs a program of this machine to its end and returns what it printed (both streams unless told otherwise, the last 64 KiB).
 * Throws AppError `setup_failed` with the end of its output when it cannot start or exits otherwise than with 0, the signal's reason when aborted.
 */
export async function runCommand(command: readonly string[], options: CommandOptions): Promise<string> {
  const [program = "", ...args] = command;
  options.signal.throwIfAborted();
  const child = spawn(program, args, {
    cwd: options.cwd,
    signal: options.signal,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let kept = "";
  let kept_stdout = "";
  let line = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      kept = (kept + text).slice(-KEPT_BYTES);
      if (stream === child.stdout) kept_stdout = (kept_stdout + text).slice(-KEPT_BYTES);
      const lines = (line + text).split("\n");
      line = (lines.pop() ?? "").slice(-KEPT_BYTES);
      // Programs that redraw a line end it with a carriage return.
      for (const whole of lines) options.on_line?.(whole.trimEnd());
    });
  }
  const { promise, resolve } = Promise.withResolvers<string>();
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
    if (child.pid === undefined) resolve(error.message);
  });
  child.once("close", (code, signal) => resolve(code === 0 ? "" : (signal ?? `exit code ${code}`)));
  const how = await promise;
  options.signal.throwIfAborted();
  if (how === "" && failure === undefined) return options.stdout_only ? kept_stdout : kept;
  const tail = kept.trim().split("\n").slice(-15).join("\n");
  throw new AppError({
    code: "setup_failed",
    message: `\`${command.join(" ")}\` failed (${how})${tail === "" ? "" : `:\n${tail}`}`,
    cause: failure,
  });
}

/** Whether the program can be started at all; `--version` must be something that it understands. */
export async function hasProgram(program: string, signal: AbortSignal): Promise<boolean> {
  try {
    await runCommand([program, "--version"], { signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError) return false;
    throw error;
  }
}
