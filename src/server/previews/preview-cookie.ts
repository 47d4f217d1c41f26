import { createHmac, timingSafeEqual } from "node:crypto";

export const PREVIEW_COOKIE = "__Host-sealwork-preview";
/** How long a preview that was opened can be used without a new code. */
const LIFE_S = 7 * 24 * 3600;

/**
 * The cookie with which a browser comes to one preview. Its value proves by itself that it was made here, for that name, and until when,
 * so a restart loses none.
 */
export class PreviewCookie {
  readonly #key: string;
  readonly #now_ms: () => number;

  /** `now_ms` is the time of day. Another key makes all cookies void. */
  constructor(options: { key: string; now_ms: () => number }) {
    this.#key = options.key;
    this.#now_ms = options.now_ms;
  }

  /** The `Set-Cookie` line. Of all forms this one alone arrives also in a frame on another site, where cookies of third parties are blocked. */
  made(name: string): string {
    const expires_s = Math.floor(this.#now_ms() / 1000) + LIFE_S;
    const value = `${expires_s}.${this.#proof(name, expires_s)}`;
    return `${PREVIEW_COOKIE}=${value}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=${LIFE_S}`;
  }

  /**
   * Whether a `Cookie` header has one for this preview. A page can put further cookies of the same name beside it, but none that proves
   * anything; so any one that does will do.
   */
  accepts(header: string | undefined, name: string): boolean {
    return (header ?? "")
      .split(";")
      .some((pair) => pair.trim().startsWith(`${PREVIEW_COOKIE}=`) && this.#isValid(pair.trim(), name));
  }

  #isValid(pair: string, name: string): boolean {
    const [, expires, proof] = /^[^=]+=(\d{1,12})\.([\w-]{43})$/.exec(pair) ?? [];
    if (expires === undefined || proof === undefined) return false;
    if (Number(expires) * 1000 <= this.#now_ms()) return false;
    return timingSafeEqual(Buffer.from(proof), Buffer.from(this.#proof(name, Number(expires))));
  }

  #proof(name: string, expires_s: number): string {
    return createHmac("sha256", this.#key).update(`${expires_s} ${name}`).digest("base64url");
  }
}

/** Whether a cookie is, or pretends to be, one of ours: browsers differ in the case that they keep and in what they trim. */
export function isOwnCookieName(name: string): boolean {
  const bare = name
    .trim()
    .toLowerCase()
    .replace(/^__(host-http|host|secure|http)-/, "");
  return bare.startsWith("sealwork");
}

/** A `Cookie` header without ours; null when nothing else is in it. */
export function withoutOwnCookies(header: string): string | null {
  const others = header.split(";").filter((pair) => !isOwnCookieName(pair.split("=")[0] ?? ""));
  const text = others
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .join("; ");
  return text === "" ? null : text;
}
