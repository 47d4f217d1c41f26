import { createHmac, timingSafeEqual } from "node:crypto";

export const PREVIEW_COOKIE = "__Host-sealwork-preview";
/** How long a preview that was opened can be used without a new code. */
const LIFE_S = 7 * 24 * 3600;

/** The sign-in that opened a preview, by its `token_id`; null for one that has no row: the installation's token, or that there is no sign-in. */
export type OpenedBy = string | null;

/**
 * The cookie with which a browser comes to one preview. Its value proves by itself that it was made here, for that name, by whom, and until
 * when, so a restart loses none.
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
  made(name: string, by: OpenedBy): string {
    const expires_s = Math.floor(this.#now_ms() / 1000) + LIFE_S;
    const claim = `${expires_s}.${by ?? ""}`;
    const value = `${claim}.${this.#proof(name, claim)}`;
    return `${PREVIEW_COOKIE}=${value}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=${LIFE_S}`;
  }

  /**
   * Who opened this preview, by the first cookie of a `Cookie` header that proves it and that `holds`; null when none does. A page can put further
   * cookies of the same name beside ours, but none that proves anything; so any one that does will do.
   */
  opened(
    header: string | undefined,
    name: string,
    holds: (by: OpenedBy) => boolean,
  ): { by: OpenedBy } | null {
    for (const pair of (header ?? "").split(";")) {
      const opened = this.#read(pair.trim(), name);
      if (opened !== null && holds(opened.by)) return opened;
    }
    return null;
  }

  #read(pair: string, name: string): { by: OpenedBy } | null {
    if (!pair.startsWith(`${PREVIEW_COOKIE}=`)) return null;
    const [, claim, expires, by, proof] =
      /^[^=]+=((\d{1,12})\.([0-9a-f-]{0,36}))\.([\w-]{43})$/.exec(pair) ?? [];
    if (claim === undefined || proof === undefined || Number(expires) * 1000 <= this.#now_ms()) return null;
    if (!timingSafeEqual(Buffer.from(proof), Buffer.from(this.#proof(name, claim)))) return null;
    return { by: by === undefined || by === "" ? null : by };
  }

  #proof(name: string, claim: string): string {
    return createHmac("sha256", this.#key).update(`${claim} ${name}`).digest("base64url");
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
