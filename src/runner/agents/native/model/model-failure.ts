import { APICallError } from "ai";

/**
 * Why there is no answer. `budget`: the broker refuses for the job's budget. `too_long`: the request does not fit the model's window.
 * `rejected`: asking again would be answered alike. `unavailable`: it may be answered another time.
 */
export type ModelFailure = {
  kind: "failure";
  why: "budget" | "too_long" | "rejected" | "unavailable";
  message: string;
  /** What to do about it, where that is known. */
  hint?: string;
  /** The broker answered for a provider that it had asked several times. */
  away?: boolean;
  /** A form of the request that another server may take can be tried. */
  other_form?: boolean;
};

/** What answers is no model: asking again would be answered alike. */
export class NoModelThere extends Error {}

const MESSAGE_MAX_CHARS = 600;
const RETRYABLE_STATUS = [408, 425, 429];
/** The broker writes its code where the protocol has a place for it; Anthropic's has none but the message. */
const BUDGET = /budget/i;
/** How providers say that a request is too long: Gemini, OpenAI, Anthropic, vLLM, Ollama. There is no code that they share. */
const TOO_LONG =
  /exceeds the maximum number of tokens|input token count|context[_ ]length|maximum context|context window|prompt is too long|too many tokens|request too large/i;

const HINTS = {
  key: "Check the provider's API key and what it may use; `sealwork providers` shows what the server has. Then retry.",
  address:
    "Check the model's name and the provider's base URL (docs/models.md says where it ends), then retry.",
  away: "Check that the provider answers from the server's machine, and what its own limits are, then retry.",
};

/** What an error of the library or of the network means. */
export function failureOf(error: unknown): ModelFailure {
  const message = messageOf(error).slice(0, MESSAGE_MAX_CHARS).toWellFormed();
  const failure = (why: ModelFailure["why"]): ModelFailure => ({ kind: "failure", why, message });
  if (error instanceof NoModelThere) return { ...failure("rejected"), hint: HINTS.address };
  if (!APICallError.isInstance(error) || error.statusCode === undefined) return failure("unavailable");
  const { statusCode: status, responseBody = "" } = error;
  if (status === 403 && BUDGET.test(responseBody)) return failure("budget");
  if ((status === 400 || status === 413) && TOO_LONG.test(`${error.message} ${responseBody}`))
    return failure("too_long");
  const passing = status < 400 || status >= 500 || RETRYABLE_STATUS.includes(status);
  if (passing) return { ...failure("unavailable"), hint: HINTS.away, away: true };
  if (status === 401 || status === 403) return { ...failure("rejected"), hint: HINTS.key };
  if (status === 404) return { ...failure("rejected"), hint: HINTS.address };
  return { ...failure("rejected"), other_form: true };
}

function messageOf(error: unknown): string {
  if (APICallError.isInstance(error) && error.statusCode !== undefined)
    return `${error.statusCode} ${error.message}`;
  if (error instanceof Error) {
    // The library's "fetch failed" hides what failed.
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return `${error.message}${cause}`;
  }
  return typeof error === "string" ? error : (JSON.stringify(error) ?? "unknown");
}
