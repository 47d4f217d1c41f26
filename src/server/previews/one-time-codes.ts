import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../../contract/errors.ts";

/** How long a code can be used. */
export const CODE_LIFE_MS = 30_000;
/** Codes that nobody has used yet. */
export const CODES_MAX = 1_000;
const CODE_BYTES = 24;

/** Codes that turn into a cookie of one preview, each once and soon. They live in memory only: a restart forgets them. */
export class OneTimeCodes {
  readonly #codes = new Map<string, { name: string; expires_ms: number }>();
  readonly #now_ms: () => number;

  /** `now_ms` is a clock that never goes back. */
  constructor(now_ms: () => number) {
    this.#now_ms = now_ms;
  }

  /** A code for the preview of that name. Throws AppError `too_many_requests` when too many are unused. */
  make(name: string): string {
    this.#forgetOld();
    if (this.#codes.size >= CODES_MAX) {
      throw new AppError({
        code: "too_many_requests",
        message: `${CODES_MAX} previews were opened whose address nobody has gone to yet.`,
        hint: `Wait ${CODE_LIFE_MS / 1000} s.`,
      });
    }
    const code = randomBytes(CODE_BYTES).toString("base64url");
    this.#codes.set(digest(code), { name, expires_ms: this.#now_ms() + CODE_LIFE_MS });
    return code;
  }

  /** Whether the code was one for that preview, which it then is no more. One that is tried elsewhere is used up too. */
  use(code: string, name: string): boolean {
    this.#forgetOld();
    const key = digest(code);
    const known = this.#codes.get(key);
    this.#codes.delete(key);
    return known?.name === name;
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
