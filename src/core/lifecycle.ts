import assert from "node:assert/strict";
import { REASONS, type ReasonCode } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import {
  type AdmittedRequest,
  type JobResult,
  NO_USAGE,
  type Phase,
  type Reason,
  type Status,
} from "../contract/job.ts";
import type { Artifact } from "./artifacts.ts";
import type { JobState } from "./store.ts";

/** How a job will end once its ZIP is there. */
export type Ending = NonNullable<JobState["ending"]>;

/** A change of a job and the events that tell of it, to be stored in one transaction. */
export type Transition = { change: Partial<JobState>; events: EventBody[] };

/** From which phase a job may go where. Each phase that is not `ended` can reach `packing`, and only `packing` reaches `ended`. */
const MOVES: Record<Phase, readonly Phase[]> = {
  queued: ["starting", "packing"],
  starting: ["working", "packing"],
  working: ["waiting", "packing"],
  waiting: ["working", "packing"],
  packing: ["ended"],
  ended: [],
};

const STATUS: Record<Exclude<Phase, "ended">, Status> = {
  queued: "pending",
  starting: "pending",
  working: "running",
  waiting: "running",
  packing: "running",
};

/** A reason with the hint of its code, or a better one. */
export function reason(code: ReasonCode, message: string, hint: string = REASONS[code]): Reason {
  return { code, message, hint };
}

export const COMPLETE: Ending = { status: "complete", reason: null };

export function failed(code: ReasonCode, message: string, hint?: string): Ending {
  return { status: "error", reason: reason(code, message, hint) };
}

export function cancelled(): Ending {
  return { status: "cancelled", reason: reason("cancelled_by_user", "The job was cancelled.") };
}

export function initialState(): JobState {
  return {
    status: "pending",
    phase: "queued",
    reason: null,
    ending: null,
    cancel_requested: false,
    sandbox_id: null,
    volume: null,
    image: null,
    link_secret: null,
    runner_epoch: null,
    runner_n: 0,
    starting_at: null,
    started_at: null,
    packing_at: null,
    ended_at: null,
    usage: NO_USAGE,
    result: null,
    approvals: [],
    answered: [],
    approvals_asked: 0,
    opened_hosts: [],
    lingering: false,
    takeovers: 0,
  };
}

export function scheduled(request: AdmittedRequest): EventBody[] {
  return [
    {
      type: "job.scheduled",
      data: { prompt: request.prompt.slice(0, 2000), agent: request.agent, template: request.template },
    },
    phaseChanged("queued", "pending"),
  ];
}

export function toStarting(
  state: JobState,
  at: string,
  sandbox: { sandbox_id: string; volume: string; link_secret: string },
): Transition {
  return move(state, "starting", { starting_at: at, ...sandbox }, []);
}

export function toWorking(state: JobState, at: string): Transition {
  return move(state, "working", { started_at: at }, [{ type: "job.started", data: {} }]);
}

/** Nobody is asked any more: questions that are still open are answered by the end itself. */
export function toPacking(state: JobState, at: string, ending: Ending): Transition {
  const given: EventBody[] = state.approvals.map(({ n }) => ({
    type: "approval.given",
    data: { n, decision: "deny", by: "job_end" },
  }));
  return move(state, "packing", { packing_at: at, ending, approvals: [], lingering: false }, given);
}

/** Whether an agent is in the job: at work, or waiting for a person. */
export function isAtWork({ phase }: Pick<JobState, "phase">): boolean {
  return phase === "working" || phase === "waiting";
}

/**
 * A change that may make the job wait for a person, or end its waiting: its phase follows from open questions and from lingering.
 * A job that is not at work stays in its phase.
 */
export function waitingOrNot(
  state: JobState,
  change: Partial<
    Pick<JobState, "approvals" | "answered" | "approvals_asked" | "opened_hosts" | "lingering">
  >,
  events: EventBody[],
): Transition {
  const next = { ...state, ...change };
  const phase = next.approvals.length > 0 || next.lingering ? "waiting" : "working";
  if (!isAtWork(state) || state.phase === phase) return { change, events };
  return move(state, phase, change, events);
}

/** The end, once the ZIP is there: the only place where a job takes one of the ended statuses. */
export function toEnded(
  state: JobState,
  at: string,
  packed: { artifact: Artifact; summary: string; exit_code: number | null },
): Transition {
  assert(
    state.phase === "packing" && state.ending !== null,
    `A job ends out of packing, not ${state.phase}.`,
  );
  const { status, reason } = state.ending;
  const { artifact, summary, exit_code } = packed;
  const result: JobResult = {
    summary,
    exit_code,
    artifact: { size_bytes: artifact.size_bytes, sha256: artifact.sha256, files: artifact.files },
  };
  return {
    change: { phase: "ended", status, reason, ended_at: at, result },
    events: [
      { type: "artifact.packed", data: { ...artifact } },
      phaseChanged("ended", status),
      { type: "job.ended", data: { status, reason, summary } },
    ],
  };
}

function move(
  state: JobState,
  phase: Exclude<Phase, "ended">,
  change: Partial<JobState>,
  events: EventBody[],
): Transition {
  assert(MOVES[state.phase].includes(phase), `A job cannot go from ${state.phase} to ${phase}.`);
  const status = STATUS[phase];
  return { change: { ...change, phase, status }, events: [...events, phaseChanged(phase, status)] };
}

function phaseChanged(phase: Phase, status: Status): EventBody {
  return { type: "phase.changed", data: { phase, status } };
}
