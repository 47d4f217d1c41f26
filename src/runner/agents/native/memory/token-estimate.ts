import type { ModelMessage } from "ai";
import { picturesIn } from "./pictures.ts";

/** Before a model has said how many tokens something took: few characters for a token, so that the estimate is rather too high. */
const FIRST_CHARS_PER_TOKEN = 3;
const LEAST_CHARS_PER_TOKEN = 0.5;
const MOST_CHARS_PER_TOKEN = 6;
/** What a picture counts as, whatever its size: providers scale pictures down to about this. */
const PICTURE_TOKENS = 1_600;

/** How many tokens a request will take, learned from what earlier ones took. */
export class TokenEstimate {
  #chars_per_token = FIRST_CHARS_PER_TOKEN;

  /** A request of `chars` took `tokens`. The dearest of old and new counts for a while, because what is added may be dearer than the rest. */
  learn(chars: number, tokens: number): void {
    if (chars <= 0 || tokens <= 0) return;
    const seen = Math.min(Math.max(chars / tokens, LEAST_CHARS_PER_TOKEN), MOST_CHARS_PER_TOKEN);
    this.#chars_per_token = Math.min(seen, (this.#chars_per_token + seen) / 2);
  }

  tokens(chars: number): number {
    return Math.ceil(chars / this.#chars_per_token);
  }

  chars(tokens: number): number {
    return Math.floor(tokens * this.#chars_per_token);
  }

  messages(messages: readonly ModelMessage[]): number {
    return this.tokens(charsOf(messages)) + PICTURE_TOKENS * picturesIn(messages);
  }
}

/** Characters of messages as they are sent, pictures left out. */
export function charsOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, message) => sum + JSON.stringify(message, withoutPictures).length, 0);
}

function withoutPictures(_key: string, value: unknown): unknown {
  const picture = typeof value === "object" && value !== null && "mediaType" in value && "data" in value;
  return picture ? { ...value, data: undefined } : value;
}
