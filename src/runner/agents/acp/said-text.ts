import { cutToJsonBytes } from "../../event-text.ts";

/** A message that grows longer is said in pieces: each character takes at most six bytes as JSON, and an event holds 64 KiB. */
const PIECE_MAX_CHARS = 8_000;
const LAST_MAX_BYTES = 15 * 1024;

/** Puts the pieces of an agent's message together, so that people read messages and not tokens. */
export class SaidText {
  readonly #say: (text: string) => Promise<void>;
  #pending = "";
  #message: string | null = null;
  /** The message so far, or the last one that was said. */
  #last = "";
  #ended = true;

  constructor(say: (text: string) => Promise<void>) {
    this.#say = say;
  }

  /** `message` names the message that the piece belongs to; null: to the same one as before. */
  async add(text: string, message: string | null): Promise<void> {
    if (message !== null && message !== this.#message) await this.end();
    this.#message = message ?? this.#message;
    if (this.#ended) this.#last = "";
    this.#ended = false;
    if (this.#last.length < LAST_MAX_BYTES) this.#last += text;
    this.#pending += text;
    while (this.#pending.length >= PIECE_MAX_CHARS) {
      const cut = cutAt(this.#pending);
      await this.#say(this.#pending.slice(0, cut));
      this.#pending = this.#pending.slice(cut);
    }
  }

  /** Says what has come of the message; what comes next is another one. */
  async end(): Promise<void> {
    const text = this.#pending.trim();
    this.#pending = "";
    this.#ended = true;
    if (text !== "") await this.#say(text);
  }

  /** The last message that had any words, for a summary; forgotten then. */
  takeLast(): string {
    const last = cutToJsonBytes(this.#last.trim(), LAST_MAX_BYTES);
    this.#last = "";
    return last;
  }
}

/** At the end of a line if there is one in the second half; never inside a character. */
function cutAt(text: string): number {
  const line = text.lastIndexOf("\n", PIECE_MAX_CHARS - 1) + 1;
  if (line > PIECE_MAX_CHARS / 2) return line;
  const code = text.charCodeAt(PIECE_MAX_CHARS - 1);
  return code >= 0xd800 && code <= 0xdbff ? PIECE_MAX_CHARS - 1 : PIECE_MAX_CHARS;
}
