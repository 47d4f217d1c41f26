import { REASONS, type ReasonCode } from "../../contract/errors.ts";
import { cutToJsonBytes } from "../event-text.ts";
import { StopCause } from "../process/tool-processes.ts";
import type { AgentEnd } from "./agent.ts";

const MESSAGE_MAX_BYTES = 2000;
const SUMMARY_MAX_BYTES = 15 * 1024;

export function complete(summary: string): AgentEnd {
  return {
    outcome: "complete",
    reason: null,
    exit_code: 0,
    summary: cutToJsonBytes(summary, SUMMARY_MAX_BYTES),
  };
}

/** `message` says what happened, to a person; it is the summary too, because nothing better is known. */
export function failed(
  message: string,
  code: ReasonCode = "agent_failed",
  hint: string = REASONS[code],
): AgentEnd {
  const cut = cutToJsonBytes(message, MESSAGE_MAX_BYTES);
  return {
    outcome: "failed",
    reason: { code, message: cut, hint },
    exit_code: null,
    summary: cut,
  };
}

/** The end of an agent whose signal was aborted after `steps` steps, of `all` where it is known how many there are. */
export function stopped(signal: AbortSignal, steps: number, all?: number): AgentEnd {
  const { reason: why } = signal;
  const done = all === undefined ? `${steps} ${steps === 1 ? "step" : "steps"}` : `${steps} of ${all} steps`;
  const summary = `The job was stopped after ${done}.`;
  if (!(why instanceof StopCause) || why.stop !== "disk_full")
    return { outcome: "stopped", reason: null, exit_code: null, summary };
  return { ...failed(`The disk limit was reached. ${summary}`, "disk_full"), summary };
}
