import { type ModelRequest, mismatches } from "./conversation.ts";
import { Answer, type AnswerInput, Scenario, type ScenarioInput } from "./scenario.ts";

/** What a test keeps of one play; a model that is asked more often than this is asked in a loop. */
const REQUESTS_MAX = 10_000;

export type Respond = (request: ModelRequest) => AnswerInput;

/** The answer to a request, and how it becomes the next one again. */
type Chosen = { answer: Answer; putBack: () => void };

/** One run through a scenario. */
export class Play {
  /** All requests that it was asked to answer, in order. */
  readonly requests: ModelRequest[] = [];
  /** What it could not answer, and why. */
  readonly failures: string[] = [];
  readonly #scenario: Scenario;
  readonly #respond: Respond | null;
  readonly #ruleUses: number[];
  readonly #released = new Map<string, PromiseWithResolvers<void>>();
  #changed = Promise.withResolvers<void>();
  #left = 0;
  #turn = 0;
  #turnUses = 0;

  constructor(script: ScenarioInput | Respond) {
    this.#respond = typeof script === "function" ? script : null;
    this.#scenario = Scenario.parse(typeof script === "function" ? {} : script);
    this.#ruleUses = this.#scenario.rules.map(() => 0);
  }

  /**
   * The answer to a request, when its time has come; a string says why there is none. When the signal aborts before, it rejects, and
   * the answer is given again: nobody got it.
   */
  async answer(request: ModelRequest, signal: AbortSignal): Promise<Answer | string> {
    const chosen = this.#choose(request);
    if (typeof chosen === "string") return chosen;
    try {
      await this.#ready(chosen.answer, signal);
    } catch (error) {
      chosen.putBack();
      this.#left += 1;
      this.#change();
      throw error;
    }
    return chosen.answer;
  }

  #choose(request: ModelRequest): Chosen | string {
    if (this.requests.length >= REQUESTS_MAX) return `It was asked ${REQUESTS_MAX} times.`;
    this.requests.push(request);
    this.#change();
    const chosen =
      this.#respond === null
        ? this.#next(request)
        : { answer: Answer.parse(this.#respond(request)), putBack: () => {} };
    if (typeof chosen === "string") this.failures.push(chosen);
    return chosen;
  }

  #next(request: ModelRequest): Chosen | string {
    for (const [index, rule] of this.#scenario.rules.entries()) {
      const used = this.#ruleUses[index] ?? 0;
      if (used >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      if (mismatches(request, rule.when).length > 0) continue;
      this.#ruleUses[index] = used + 1;
      return {
        answer: rule.answer,
        putBack: () => {
          this.#ruleUses[index] = (this.#ruleUses[index] ?? 1) - 1;
        },
      };
    }
    const turn = this.#scenario.turns[this.#turn];
    const place = `Turn ${this.#turn + 1} of ${this.#scenario.turns.length}`;
    if (turn === undefined) return `No rule holds and all ${this.#scenario.turns.length} turns were given.`;
    const wrong = mismatches(request, turn.when);
    if (wrong.length > 0) return `${place}: ${wrong.join("; ")}.`;
    const before = { turn: this.#turn, uses: this.#turnUses };
    this.#turnUses += 1;
    if (this.#turnUses === turn.times) {
      this.#turn += 1;
      this.#turnUses = 0;
    }
    return {
      answer: turn.answer,
      putBack: () => {
        this.#turn = before.turn;
        this.#turnUses = before.uses;
      },
    };
  }

  #change(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }

  async #ready(answer: Answer, signal: AbortSignal): Promise<void> {
    if (answer.hold === undefined) return;
    const left = Promise.withResolvers<never>();
    const onAbort = () => left.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await Promise.race([this.#gate(answer.hold).promise, left.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Lets answers go that are held by this name, now and later. */
  release(hold: string): void {
    this.#gate(hold).resolve();
  }

  #gate(hold: string): PromiseWithResolvers<void> {
    const known = this.#released.get(hold);
    if (known !== undefined) return known;
    const gate = Promise.withResolvers<void>();
    this.#released.set(hold, gate);
    return gate;
  }

  /** Waits until it was asked so many times, or for a request that matches, from the first on. */
  async asked(matches: number | ((request: ModelRequest) => boolean)): Promise<ModelRequest> {
    while (true) {
      const next = this.#changed.promise;
      const found = typeof matches === "number" ? this.requests[matches - 1] : this.requests.find(matches);
      if (found !== undefined) return found;
      await next;
    }
  }

  /** Waits until so many of those who asked have left before their answer's time had come. */
  async abandoned(times: number): Promise<void> {
    while (this.#left < times) await this.#changed.promise;
  }

  /** Throws when a request could not be answered or a turn was not asked for. */
  assertFinished(): void {
    const left = this.#scenario.turns.length - this.#turn;
    if (this.failures.length > 0)
      throw new Error(`The scenario was not kept to:\n${this.failures.join("\n")}`);
    if (left > 0) throw new Error(`${left} of ${this.#scenario.turns.length} turns were never asked for.`);
  }
}
