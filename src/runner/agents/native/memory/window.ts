import { AppError } from "../../../../contract/errors.ts";
import type { ModelAccess } from "../../../../contract/models.ts";

/** Of the window, an answer gets at most this share: some models are said to have as many tokens for an answer as for all. */
const ANSWER_SHARE = 0.25;
/** A conversation that is estimated to take more than this share of its room makes older exchanges a summary first. */
const COMPACT_AT = 0.8;
/** After that, exchanges take this share of the room (the newest one alone up to that), and what stands for the older ones at most the last. */
const KEPT_SHARE = 0.25;
const NEWEST_SHARE = 0.4;
const CARRIED_SHARE = 0.3;
/** One output of a tool takes at most this share, and at most as many characters as an agent can take in. */
const OUTPUT_SHARE = 0.08;
const OUTPUT_MAX_CHARS = 24_000;
/** Words of a person beyond this share are shortened, with the whole in a file. */
const REQUEST_SHARE = 0.2;

/** Less is no room to work in. */
const ROOM_MIN_TOKENS = 3_000;

/** How a model's window is divided, in tokens; but for the first two, what a conversation may take in it. */
export type Window = {
  max_output_tokens: number;
  input_tokens: number;
  compact_at_tokens: number;
  kept_tokens: number;
  newest_tokens: number;
  carried_tokens: number;
  output_tokens: number;
  output_max_chars: number;
  request_tokens: number;
};

/** Throws AppError when the window has no room to work in beside the instructions and tools, which take `fixed_tokens`. */
export function windowOf(
  { context_tokens, max_output_tokens, model }: ModelAccess,
  fixed_tokens: number,
): Window {
  const answer = Math.min(max_output_tokens, Math.floor(context_tokens * ANSWER_SHARE));
  const input_tokens = context_tokens - answer;
  const room = input_tokens - fixed_tokens;
  if (room < ROOM_MIN_TOKENS)
    throw new AppError({
      code: "invalid_request",
      message: `The window of ${model} is said to be ${context_tokens} tokens; instructions and tools alone take about ${fixed_tokens} of them.`,
      hint: "Choose a model with a larger window, or say in the configuration how large it is.",
    });
  const share = (part: number): number => Math.floor(room * part);
  return {
    max_output_tokens: answer,
    input_tokens,
    compact_at_tokens: share(COMPACT_AT),
    kept_tokens: share(KEPT_SHARE),
    newest_tokens: share(NEWEST_SHARE),
    carried_tokens: share(CARRIED_SHARE),
    output_tokens: share(OUTPUT_SHARE),
    output_max_chars: OUTPUT_MAX_CHARS,
    request_tokens: share(REQUEST_SHARE),
  };
}
