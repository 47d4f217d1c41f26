import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";
import { formatWholeSeconds } from "../contract/units.ts";
import type { Client } from "./client.ts";
import { answerRow, followUpRow, sendCommand, stayRow } from "./event-rows.ts";
import type { Io } from "./io.ts";
import { Keyboard } from "./keyboard.ts";
import type { LiveView } from "./live-view.ts";

export type DialogueOptions = { io: Io; client: Client; job_id: string; view: LiveView; signal: AbortSignal };

/** A question that waits for its answer; `sent` once ours is on its way. */
type Question = { expires_at: string | null; sent: boolean };

/**
 * Lets a person who watches a job on a terminal answer its questions and talk to its agent: what is typed takes the place of the status
 * line. An answer that was given elsewhere withdraws the question. Where no terminal is, it says which command answers.
 */
export class JobDialogue implements Disposable {
  readonly #options: DialogueOptions;
  readonly #keyboard: Keyboard | null;
  /** By number; the one that was asked first is answered first. */
  readonly #questions = new Map<number, Question>();
  /** Until when the agent waits for a follow-up; null while it does not. */
  #waits_until: number | null = null;
  /** A script takes no messages: a job of one stays open for those who look around in its sandbox. */
  #talks = true;

  constructor(options: DialogueOptions) {
    this.#options = options;
    const { io } = options;
    const can_type = io.terminal.stdin && io.terminal.stdout && io.env.TERM !== "dumb";
    const handlers = {
      changed: () => this.#refresh(),
      line: (text: string) => this.#entered(text),
      closed: () => this.#closed(),
    };
    this.#keyboard = can_type ? new Keyboard(io, handlers) : null;
  }

  /** Shows an event and does what it asks for. */
  async take(event: Event): Promise<void> {
    // First, so that no key that is pressed meanwhile answers what was answered.
    if (event.type === "approval.given") this.#withdraw(event.data.n);
    await this.#options.view.show(event);
    await this.#follow(event);
  }

  #withdraw(n: number): void {
    if (this.#current?.n === n) this.#keyboard?.clear();
    this.#questions.delete(n);
    this.#refresh();
  }

  async #follow(event: Event): Promise<void> {
    switch (event.type) {
      case "job.scheduled":
        this.#talks = event.data.agent !== "script";
        break;
      case "approval.asked": {
        const { n, expires_at } = event.data;
        this.#questions.set(n, {
          expires_at,
          sent: false,
        });
        // What was half typed was meant for something else, and must not become an answer.
        this.#keyboard?.clear();
        if (!this.#can_ask) await this.#sayHowToAnswer(n);
        break;
      }
      case "agent.waiting":
        if (event.data.linger_s <= 0) break;
        this.#waits_until = Date.now() + event.data.linger_s * 1000;
        await this.#sayHowToFollowUp(event.data.linger_s);
        break;
      case "message.said":
        if (event.data.from === "person") this.#waits_until = null;
        break;
      case "phase.changed":
        if (event.data.phase !== "waiting") this.#waits_until = null;
        if (event.data.phase === "packing" || event.data.phase === "ended") this.#questions.clear();
        break;
      default:
        return;
    }
    this.#refresh();
  }

  /** The question that is to be answered next. */
  get #current(): ({ n: number } & Question) | null {
    for (const [n, question] of this.#questions) if (!question.sent) return { n, ...question };
    return null;
  }

  get #can_ask(): boolean {
    return this.#keyboard?.open === true;
  }

  #refresh(): void {
    const { view } = this.#options;
    const typed = this.#keyboard?.open === true ? this.#keyboard.typed : null;
    const label = typed === null ? null : this.#label(typed.text !== "");
    view.input(typed === null || label === null ? null : { label, ...typed });
  }

  /** What stands before the typed text; null when there is nothing to type for. */
  #label(has_text: boolean): (() => string) | null {
    const current = this.#current;
    if (current !== null)
      return () => {
        const { n, expires_at } = current;
        return `allow ${n}? y/n${expires_at === null ? "" : ` (${remaining(Date.parse(expires_at))})`} › `;
      };
    const until = this.#waits_until;
    if (until !== null && this.#talks) return () => `follow-up (${remaining(until)}) › `;
    return has_text ? () => "to the agent › " : null;
  }

  #entered(text: string): void {
    const current = this.#current;
    const word = text.trim().toLowerCase();
    const is_answer = /^(y|yes|n|no)$/.test(word);
    const { view } = this.#options;
    if (current !== null) {
      if (is_answer) void this.#decide(current.n, word.startsWith("y") ? "allow" : "deny");
      else if (word !== "") void view.note("Type y to allow it or n to deny it, then enter.");
    } else if (is_answer && this.#waits_until === null) {
      // A late answer to a question that is gone, far more likely than words for an agent at work.
      void view.note(`No question waits for an answer, so ${word} was not sent.`);
    } else if (word !== "") void this.#say(text);
    this.#refresh();
  }

  async #decide(n: number, decision: "allow" | "deny"): Promise<void> {
    const { client, job_id, signal } = this.#options;
    const question = this.#questions.get(n);
    if (question !== undefined) question.sent = true;
    this.#refresh();
    try {
      await client.decide(job_id, { n, decision }, signal);
    } catch (error) {
      // It can be asked again unless it was decided meanwhile, which the next event tells.
      if (question !== undefined) question.sent = false;
      await this.#tell(`Question ${n} was not answered`, error);
    }
  }

  async #say(text: string): Promise<void> {
    const { client, job_id, signal } = this.#options;
    try {
      await client.message(job_id, text, signal);
    } catch (error) {
      if (this.#current === null) this.#keyboard?.restore(text);
      await this.#tell("The message was not sent", error);
    }
  }

  async #tell(what: string, error: unknown): Promise<void> {
    if (this.#options.signal.aborted) return;
    const why = error instanceof AppError ? error.message : String(error);
    await this.#options.view.note(`${what}: ${why}`);
    this.#refresh();
  }

  #closed(): void {
    for (const n of this.#questions.keys()) void this.#sayHowToAnswer(n);
    this.#refresh();
  }

  async #sayHowToAnswer(n: number): Promise<void> {
    const expires_at = this.#questions.get(n)?.expires_at ?? null;
    await this.#options.view.note(answerRow(this.#options.job_id, { n, expires_at }));
  }

  async #sayHowToFollowUp(linger_s: number): Promise<void> {
    const { job_id, view } = this.#options;
    const how = this.#can_ask ? "type it and press enter" : sendCommand(job_id);
    await view.note(this.#talks ? followUpRow(linger_s, how) : stayRow(linger_s, job_id));
  }

  [Symbol.dispose](): void {
    this.#keyboard?.[Symbol.dispose]();
    this.#options.view.input(null);
  }
}

function remaining(until: number): string {
  return formatWholeSeconds(Math.max(0, (until - Date.now()) / 1000));
}
