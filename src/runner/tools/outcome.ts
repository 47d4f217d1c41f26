import type { ToolResult } from "../process/tool-processes.ts";
import type { ToolOutcome } from "./tool.ts";

/** The result of a tool that starts no process: done, or refused with a sentence for the model. */
export function done(for_model: string, begun: number): ToolOutcome {
  const exited = { cause: "exited" as const, exit_code: 0, signal: null, message: null };
  return { ...exited, duration_ms: performance.now() - begun, for_model };
}

export function refused(message: string, begun: number): ToolOutcome {
  const exited = { cause: "exited" as const, exit_code: 1, signal: null, message };
  return { ...exited, duration_ms: performance.now() - begun, for_model: `Error: ${message}` };
}

/** The result of a tool whose process could not be started. */
export function notStarted(message: string, begun: number): ToolOutcome {
  const result = { cause: "not_started" as const, exit_code: null, signal: null, message };
  return { ...result, duration_ms: performance.now() - begun, for_model: `Error: ${message}` };
}

/** How a process ended, in one line for a model. */
export function endingLine(end: Omit<ToolResult, "duration_ms">): string {
  const { cause, exit_code, signal, message } = end;
  const why = message === null ? "" : ` ${message}`;
  if (cause === "exited") return `exit code ${exit_code}${signalHint(exit_code)}${why}`;
  if (cause === "out_of_memory") {
    const how = exit_code === null ? (signal ?? "killed") : `exit code ${exit_code}`;
    return `out of memory (${how}):${why} Let it hold less at a time.`;
  }
  if (cause === "signalled") return `ended by ${signal}${why}`;
  return `${cause.replaceAll("_", " ")}:${why}`;
}

function signalHint(exit_code: number | null): string {
  return exit_code === 137
    ? " (a process was killed by SIGKILL)"
    : exit_code === 139
      ? " (a process crashed: SIGSEGV)"
      : "";
}
