import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../contract/errors.ts";

/** How long a code can be used. */
export const CODE_LIFE_MS = 30_000;
/** Codes that nobody has used yet. */
export const CODES_MAX = 1_000;
const CODE_BYTES = 32;

/** Codes that stand in an address and turn into a cookie, each once and soon. They live in memory only: a restart forgets them. */
export class OneTimeCodes<Granted> {
  readonly #codes = new Map<string, { granted: Granted; expires_ms: number }>();
  readonly #now_ms: () => number;

  /** `now_ms` is a clock that never goes back. */
  constructor(now_ms: () => number) {
    this.#now_ms = now_ms;
  }

  /** A code that grants this. Throws AppError `too_many_requests` when too many are unused. */
  make(granted: Granted): string {
    this.#forgetOld();
    if (this.#codes.size >= CODES_MAX) {
      throw new AppError({
        code: "too_many_requests",
        message: `${CODES_MAX} addresses were made that nobody has gone to yet.`,
        hint: `Wait ${CODE_LIFE_MS / 1000} s.`,
      });
    }
    const code = randomBytes(CODE_BYTES).toString("base64url");
    this.#codes.set(digest(code), { granted, expires_ms: this.#now_ms() + CODE_LIFE_MS });
    return code;
  }

  /** What the code grants, which it then does no more, whatever the caller makes of it; null when it is none. */
  use(code: string): Granted | null {
    this.#forgetOld();
    const key = digest(code);
    const known = this.#codes.get(key);
    this.#codes.delete(key);
    return known?.granted ?? null;
  }

  /** All live equally long, so the oldest stand first. */
  #forgetOld(): void {
    for (const [key, { expires_ms }] of this.#codes) {
      if (expires_ms > this.#now_ms()) return;
      this.#codes.delete(key);
    }
  }
}

/** Looked up by what cannot be felt out byte by byte. */
function digest(code: string): string {
  return createHash("sha256").update(code).digest("base64url");
}
