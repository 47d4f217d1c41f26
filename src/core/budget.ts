import type { Budget, Usage } from "../contract/job.ts";

/** What a model call takes of a budget. */
export type Portion = { tokens: number; cost_usd: number };

/** Why a call does not fit. `for_now`: it would, if calls under way used nothing. */
export type Refusal = { message: string; for_now: boolean };

/** Calls of a job without a budget of calls: each is an event, also one that the provider refuses at once and for nothing. */
export const CALLS_MAX = 100_000;

/**
 * What a job may still use of models. Each call sets aside what it could use at most before it is made, so calls that run at the same
 * time cannot pass the budget together; so a job passes it by at most what the estimates of its last calls were short.
 */
export class BudgetLedger {
  readonly #budget: Budget;
  readonly #used: () => Usage;
  readonly #reserved = new Set<Portion>();

  /** `used` gives what was used by calls that have ended. */
  constructor(budget: Budget, used: () => Usage) {
    this.#budget = budget;
    this.#used = used;
  }

  /** Sets a portion aside; disposing of what it returns gives it back. */
  reserve(portion: Portion): Disposable | Refusal {
    const message = this.#refusal(portion, [...this.#reserved]);
    if (message !== null) return { message, for_now: this.#refusal(portion, []) === null };
    this.#reserved.add(portion);
    return { [Symbol.dispose]: () => void this.#reserved.delete(portion) };
  }

  #refusal(portion: Portion, reserved: readonly Portion[]): string | null {
    const { max_tokens, max_cost_usd, max_calls } = this.#budget;
    const used = this.#used();
    const calls = used.model_calls + reserved.length;
    if (calls + 1 > (max_calls ?? CALLS_MAX))
      return `The job made ${calls} model calls, as many as ${max_calls === null ? "a job may" : "its budget allows"}.`;
    const tokens = used.input_tokens + used.output_tokens + sum(reserved, "tokens");
    if (max_tokens !== null && tokens + portion.tokens > max_tokens)
      return `The next model call could use ${portion.tokens} tokens; of the budget of ${max_tokens} are ${Math.max(0, max_tokens - tokens)} left.`;
    const cost_usd = used.cost_usd + sum(reserved, "cost_usd");
    if (max_cost_usd !== null && cost_usd + portion.cost_usd > max_cost_usd)
      return `The next model call could cost ${dollars(portion.cost_usd)}; of the budget of ${dollars(max_cost_usd)} are ${dollars(Math.max(0, max_cost_usd - cost_usd))} left.`;
    return null;
  }
}

function sum(portions: readonly Portion[], field: keyof Portion): number {
  return portions.reduce((total, portion) => total + portion[field], 0);
}

function dollars(amount: number): string {
  return `$${amount.toFixed(4)}`;
}
