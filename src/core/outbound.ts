import type { EventBody } from "../contract/event.ts";
import type { Egress } from "../contract/job.ts";
import type { Decision, Question } from "../contract/link.ts";

type Data<T extends EventBody["type"]> = Extract<EventBody, { type: T }>["data"];

/** A model call as the broker saw it; core adds the price. */
export type ModelCall = Omit<Data<"model.called">, "cost_usd">;
/** A connection that was refused; core adds the policy and counts repeats. */
export type Denial = Omit<Data<"egress.denied">, "policy" | "count">;

/** What a call could use at most, in tokens. */
export type Estimate = { provider: string; model: string; input_tokens: number; output_tokens: number };

/** Tokens and money that are set aside for one call, until it is settled. */
export interface Reservation {
  /** Gives back what was not used and stores `model.called`. To be called once, whatever became of the call. */
  settle(call: ModelCall): Promise<void>;
}

/**
 * What the gateway asks of the job whose sandbox reaches out. The gateway moves bytes and checks names and addresses; what a job may
 * and what it has left is decided here.
 */
export interface Outbound {
  readonly job_id: string;
  /** Provider names that this job may call; empty for an agent that needs no model. */
  readonly providers: readonly string[];
  /** As it holds now: hosts are opened while a job runs. */
  readonly egress: Egress;
  /**
   * Sets aside what a call could use; waits while it would fit only once calls under way have given back what they do not use. Throws
   * AppError `budget_exhausted`, and the job then ends for that reason; rejects with the signal's reason.
   */
  reserve(estimate: Estimate, signal: AbortSignal): Promise<Reservation>;
  /** Whether a person is asked about hosts off the list. */
  readonly asks: boolean;
  /** Asks a person whether a host off the list may be reached, and opens it for this job when the answer is yes. False at once where the policy asks nobody. */
  askEgress(host: string, port: number, signal: AbortSignal): Promise<boolean>;
  /** A refused connection: stored as `egress.denied`, coalesced. Never throws. */
  denied(denial: Denial): void;
  /** Asks a person on behalf of the runner. Rejects with the signal's reason when the asker has gone; the question stays and can be asked again. */
  ask(question: Question, signal: AbortSignal): Promise<Decision>;
}
