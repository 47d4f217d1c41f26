/** The same call failing this often in a row is told to the model; a little later it ends the work. */
const SAME_FAILURE_TOLD = 3;
const SAME_FAILURES_MAX = 5;
/** Of the last calls, the same one with the same result: this many are told, a few more end the work. Polling stays below, a loop does not. */
const WATCHED_CALLS = 60;
const SAME_RESULT_TOLD = 12;
const SAME_RESULTS_MAX = 20;
/** Calls in a row that could not even be tried. */
const INVALID_TOLD_MAX = 5;

/** Told with results, and never the same twice. */
const DURATIONS = /\b\d+(\.\d+)? m?s\b/g;

/** What a call was and came to. `invalid` ones were not tried. */
export type WatchedCall = {
  name: string;
  input: string;
  result: string;
  outcome: "ok" | "failed" | "invalid";
};

/** `tell` is for the model, `end` for people. */
export type LoopVerdict = { kind: "fine" } | { kind: "tell" | "end"; message: string };

/** Notices work that goes in circles. */
export class LoopWatch {
  #same_failures = 0;
  #last_failure = "";
  #invalid = 0;
  readonly #recent: string[] = [];

  /** To be told of every call, in order. */
  see({ name, input, result, outcome }: WatchedCall): LoopVerdict {
    this.#invalid = outcome === "invalid" ? this.#invalid + 1 : 0;
    if (this.#invalid >= INVALID_TOLD_MAX)
      return end(
        `The model made ${this.#invalid} calls in a row that cannot be carried out, the last one of ${name}: ${result}`,
      );
    const call = `${name} ${input}`;
    this.#same_failures = outcome === "ok" ? 0 : call === this.#last_failure ? this.#same_failures + 1 : 1;
    this.#last_failure = outcome === "ok" ? "" : call;
    if (this.#same_failures >= SAME_FAILURES_MAX)
      return end(
        `The model went in circles: the same call of ${name} failed ${this.#same_failures} times in a row. ${result}`,
      );
    if (this.#same_failures === SAME_FAILURE_TOLD)
      return tell(
        `This same call has failed ${this.#same_failures} times in a row. Do not repeat it: find out why it fails, or go another way.`,
      );
    return this.#seeResult(`${call} ${result.replace(DURATIONS, "")}`, name);
  }

  #seeResult(seen: string, name: string): LoopVerdict {
    this.#recent.push(seen);
    if (this.#recent.length > WATCHED_CALLS) this.#recent.shift();
    const same = this.#recent.filter((one) => one === seen).length;
    if (same >= SAME_RESULTS_MAX)
      return end(
        `The model went in circles: it made the same call of ${name} ${same} times, with the same result each time.`,
      );
    if (same === SAME_RESULT_TOLD)
      return tell(
        `You have made this same call ${same} times, with the same result each time. Do something else, or end your work with an answer.`,
      );
    return { kind: "fine" };
  }
}

function tell(message: string): LoopVerdict {
  return { kind: "tell", message };
}

function end(message: string): LoopVerdict {
  return { kind: "end", message };
}
