import type { RunnerEventBody } from "../../contract/event.ts";
import type { Question, Start } from "../../contract/link.ts";
import type { Blobs } from "../blobs.ts";
import type { Inbox } from "../inbox.ts";
import type { ToolPlace } from "../tools/tool-place.ts";

/** How an agent's work ended, as `agent.ended` says it. */
export type AgentEnd = Extract<RunnerEventBody, { type: "agent.ended" }>["data"];

/** What an agent works with. */
export type AgentPlace = ToolPlace & {
  start: Start;
  blobs: Blobs;
  emit(body: RunnerEventBody): Promise<void>;
  /** Messages of people that came while the agent was at work. */
  inbox: Inbox;
  /** Asks a person; a lost link is waited out. Rejects only with the signal's reason. */
  ask(question: Question): Promise<"allow" | "deny">;
  /** Aborted with a StopCause. */
  signal: AbortSignal;
};

/** An agent that can be talked to. Disposal ends whatever it started. */
export interface Conversation extends AsyncDisposable {
  /**
   * Works on what a person said until there is an answer. The first turn is the job's prompt; with `start.resume` it goes on from what
   * lies on the volume. Throws AppError for what the agent cannot work on, and what `emit` throws.
   */
  turn(text: string): Promise<AgentEnd>;
}

export type OpenAgent = (place: AgentPlace) => Promise<Conversation>;
