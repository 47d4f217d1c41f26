import { AppError, type ReasonCode } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import { DeadlinePassed } from "./deadline.ts";
import type { SandboxStatus } from "./driver.ts";
import { COMPLETE, type Ending, failed } from "./lifecycle.ts";
import type { Sandbox } from "./sandbox.ts";

/** The first cause of an end wins: later ones are only its consequences. */
export class EndingOnce {
  readonly #controller = new AbortController();
  #ending: Ending | null = null;

  get value(): Ending | null {
    return this.#ending;
  }

  /** Aborted when the cause is known. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** False when an earlier cause stands. */
  set(ending: Ending): boolean {
    if (this.#ending !== null) return false;
    this.#ending = ending;
    this.#controller.abort();
    return true;
  }
}

/** Reasons that a runner may give. All others are the orchestrator's to find. */
const FROM_RUNNER: readonly ReasonCode[] = ["agent_failed", "step_failed", "out_of_memory", "disk_full"];

type AgentEnded = Extract<RunnerEventBody, { type: "agent.ended" }>["data"];

/** What the runner's word means. It is untrusted: a reason that is not a runner's to give becomes `agent_failed`. */
export function endingOfAgent(said: AgentEnded): Ending {
  if (said.outcome === "complete") return COMPLETE;
  const given = said.reason;
  if (given === null) return failed("agent_failed", "The agent stopped without a reason.");
  const code = FROM_RUNNER.includes(given.code) ? given.code : "agent_failed";
  return failed(code, given.message, given.hint === "" ? undefined : given.hint);
}

/** What it means that the sandbox of a job that had begun is not running. */
export function endingOfSandbox(status: SandboxStatus | null): Ending {
  if (status?.reason === "oom")
    return failed("out_of_memory", "The sandbox ran out of memory and its runner was ended by the kernel.");
  if (status === null || status.state === "absent")
    return failed("sandbox_died", "The sandbox was removed from the container engine while the job ran.");
  const how = status.exit_code === null ? "" : ` with exit code ${status.exit_code}`;
  return failed("sandbox_died", `The sandbox ended unexpectedly${how}.${lastWords(status)}`);
}

/** The same for a job whose orchestrator was away when it happened. */
export function endingAfterAbsence(status: SandboxStatus | null): Ending {
  if (status?.reason === "oom") return endingOfSandbox(status);
  const how = status === null ? "was gone" : "had ended";
  return failed("orchestrator_lost", `The sandbox ${how} when the orchestrator came back.`);
}

/** What it means that a sandbox ended before its runner linked. */
export function endingOfStart(status: SandboxStatus | null): Ending {
  if (status?.reason === "image_missing")
    return failed("image_missing", "The image of the template is missing.");
  const how = status?.exit_code == null ? "" : ` (exit code ${status.exit_code})`;
  return failed(
    "sandbox_start_failed",
    `The sandbox ended before its runner linked${how}.${lastWords(status)}`,
  );
}

/** What it means that something failed; null for a fault of ours. `begun`: a runner was started, so there may be work. */
export function endingOfFault(
  error: unknown,
  { sandbox, begun }: { sandbox: Pick<Sandbox, "gone" | "status"> | null; begun: boolean },
): Ending | null {
  if (sandbox?.gone.aborted) return begun ? endingOfSandbox(sandbox.status) : endingOfStart(sandbox.status);
  if (error instanceof DeadlinePassed)
    return failed(begun ? "sandbox_died" : "sandbox_start_failed", error.message);
  if (!(error instanceof AppError)) return null;
  if (error.code === "protocol_violated") return failed("protocol_violated", error.message);
  if (error.code === "image_missing") return failed("image_missing", error.message, error.hint);
  return failed(begun ? "sandbox_died" : "sandbox_start_failed", error.message, error.hint);
}

function lastWords(status: SandboxStatus | null): string {
  const printed = status?.printed.trim().slice(-1000) ?? "";
  return printed === "" ? "" : ` It printed: ${printed}`;
}
