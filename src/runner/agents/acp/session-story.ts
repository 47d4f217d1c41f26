import type { SessionUpdate, ToolCallUpdate } from "@agentclientprotocol/sdk";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { cutToJsonBytes } from "../../event-text.ts";
import type { ToolResult } from "../../process/tool-processes.ts";
import type { Steps } from "../../steps.ts";
import { CallStep } from "./call-step.ts";
import { SaidText } from "./said-text.ts";
import { isDescribed, isOver, type KnownCall, newCall, withUpdate } from "./tool-call.ts";

/** Calls that are under way at a time; a further one is told when it is over. */
const CALLS_OPEN_MAX = 200;
/** Calls that are over and whose late updates are still recognised. */
const CALLS_OVER_MAX = 1_000;
const PLAN_STEPS_MAX = 200;
const PLAN_TITLE_MAX_BYTES = 240;
/** Updates that wait to be told; beyond it the CLI is held back. */
export const UPDATES_WAITING_MAX = 256;

const STATES = { pending: "pending", in_progress: "active", completed: "done" } as const;

type CallUpdate = Extract<SessionUpdate, { sessionUpdate: "tool_call" | "tool_call_update" }>;

export type StoryOptions = {
  emit(body: RunnerEventBody): Promise<void>;
  steps: Steps;
  workspace: string;
  home: string;
  signal: AbortSignal;
};

/** Tells a session's updates as the job's events, one after the other, in the order in which they came. */
export class SessionStory {
  readonly #options: StoryOptions;
  readonly #said: SaidText;
  readonly #calls = new Map<string, { known: KnownCall; step: CallStep | null }>();
  readonly #over = new Set<string>();
  /** While it is true updates are those of an earlier sandbox, told again. */
  #muted = false;
  #waiting = 0;
  #told: Promise<void> = Promise.resolve();
  readonly #broken = Promise.withResolvers<never>();
  #failure: { error: unknown } | null = null;

  constructor(options: StoryOptions) {
    this.#options = options;
    // Whoever waits for a turn meets the error.
    this.#broken.promise.catch(() => undefined);
    this.#said = new SaidText((text) =>
      options.emit({ type: "message.said", data: { from: "agent", text } }),
    );
  }

  /** Rejects with what `emit` threw, after which nothing more is told; never resolves. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
  }

  take(update: SessionUpdate): void {
    if (this.#muted) return;
    this.#queue(() => this.#tell(update));
  }

  /** Begins the step of a call that a person, or the job's policy, has allowed. */
  allowed(call: ToolCallUpdate): void {
    this.#queue(async () => {
      this.#over.delete(call.toolCallId);
      const entry = this.#entry(call.toolCallId);
      if (entry === null || entry.step !== null) return;
      entry.step = await this.#begin(withUpdate(entry.known, call, true));
    });
  }

  /** Resolves when few enough updates wait to be told. */
  async ready(): Promise<void> {
    while (this.#waiting >= UPDATES_WAITING_MAX) await this.#told;
  }

  /** Says what is left of the message, before a person is asked something. */
  async flush(): Promise<void> {
    this.#queue(() => this.#said.end());
    await this.#all();
  }

  /**
   * Tells all that has come, and ends steps whose end was not told, for the reason given. Returns the last message of the turn.
   * Rejects with what `emit` threw.
   */
  async endTurn(unfinished: Pick<ToolResult, "cause" | "message">): Promise<string> {
    await this.flush();
    for (const [id, { step }] of this.#calls) {
      await step?.end({ exit_code: null, signal: null, ...unfinished });
      this.#forget(id);
    }
    return this.#said.takeLast();
  }

  async #all(): Promise<void> {
    while (this.#waiting > 0) await this.#told;
    if (this.#failure !== null) throw this.#failure.error;
  }

  #queue(work: () => Promise<void>): void {
    this.#waiting += 1;
    this.#told = this.#told.then(async () => {
      try {
        if (this.#failure === null) await work();
      } catch (error) {
        this.#failure = { error };
        this.#broken.reject(error);
      } finally {
        this.#waiting -= 1;
      }
    });
  }

  async #tell(update: SessionUpdate): Promise<void> {
    switch (update.sessionUpdate) {
      case "agent_message_chunk":
        if (update.content.type === "text")
          await this.#said.add(update.content.text, update.messageId ?? null);
        return;
      case "tool_call":
      case "tool_call_update":
        return this.#call(update);
      case "plan": {
        const steps = update.entries.slice(0, PLAN_STEPS_MAX).map(({ content, status }) => ({
          title: cutToJsonBytes(content, PLAN_TITLE_MAX_BYTES),
          state: STATES[status],
        }));
        return this.#options.emit({ type: "plan.made", data: { steps, files: [], checks: [] } });
      }
      default:
        // Thoughts, the CLI's own commands and modes are nothing that happened in the job; the broker counts tokens.
        return;
    }
  }

  async #call(update: CallUpdate): Promise<void> {
    // Some agents number their calls anew in each turn.
    if (update.sessionUpdate === "tool_call") this.#over.delete(update.toolCallId);
    const entry = this.#entry(update.toolCallId);
    if (entry === null) return;
    entry.known = withUpdate(entry.known, update, update.sessionUpdate === "tool_call");
    if (!isDescribed(entry.known)) return;
    entry.step ??= await this.#begin(entry.known);
    await entry.step.show(entry.known);
    if (!isOver(entry.known)) return;
    await entry.step.over(entry.known);
    this.#forget(update.toolCallId);
  }

  async #begin(known: KnownCall): Promise<CallStep> {
    await this.#said.end();
    const { steps, signal, home, workspace } = this.#options;
    return CallStep.begin(known, { steps, signal, home, workspace });
  }

  /** Null for a call that is over, or one more than can be under way. */
  #entry(id: string) {
    if (this.#over.has(id)) return null;
    const found = this.#calls.get(id);
    if (found !== undefined) return found;
    if (this.#calls.size >= CALLS_OPEN_MAX) return null;
    const entry: { known: KnownCall; step: CallStep | null } = { known: newCall(id), step: null };
    this.#calls.set(id, entry);
    return entry;
  }

  #forget(id: string): void {
    this.#calls.delete(id);
    this.#over.add(id);
    if (this.#over.size > CALLS_OVER_MAX)
      for (const oldest of [...this.#over].slice(0, 1)) this.#over.delete(oldest);
  }
}
