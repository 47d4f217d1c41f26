import { createHash } from "node:crypto";
import { AppError } from "../contract/errors.ts";
import { BROWSER_SIGN_IN_MAX_S, TOKENS_MAX } from "../contract/sign-in-api.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./dependencies.ts";
import type { SignInRecord, SignInStore } from "./store.ts";

/** How exactly it is known when a sign-in was last used, and how late streams of one that expires end. */
const KEEP_EVERY_MS = 60_000;
/** Marks a browser that was signed in by the installation's own token. */
const INSTALLATION = "installation-";
/** How our secrets are written: what a program bears, and what is in a browser's cookie. */
const PREFIXES = { token: "swt_", browser: "swb_" } as const;
const SECRETS = /sw[tb]_[\w-]{20,}/g;

/** Who makes a request. */
export type Caller =
  /** Nobody has to sign in here. */
  | { by: "anyone" }
  /** The token in the file of this installation. */
  | { by: "installation" }
  | { by: "token" | "browser"; token_id: string };

export type SignInNames = {
  /** UUID version 7. */
  token_id(): string;
  /** At least 256 random bits as base64url. */
  sign_in_secret(): string;
};

type Options = {
  store: SignInStore;
  clock: Clock;
  names: SignInNames;
  /** Null lets everybody in. */
  installation_token: string | null;
  log: Log;
};

type Known = {
  record: SignInRecord;
  expires_ms: number;
  /** When it was used last and has been so since it was stored; null when the store knows. */
  used_at: string | null;
  /** What ends with it. */
  open: Set<() => void>;
};

/** Who may come in. All of them are in memory, so that a request costs no read of the database; changes are stored before they are told. */
export class SignIns implements AsyncDisposable {
  readonly #options: Options;
  readonly #installation: { sha256: string; mark: string } | null;
  /** By the hash of the secret: what is looked up by it cannot be felt out byte by byte. */
  readonly #by_secret = new Map<string, Known>();
  readonly #by_id = new Map<string, Known>();
  readonly #stopping = new AbortController();
  #keeping: Promise<void> = Promise.resolve();

  private constructor(options: Options) {
    this.#options = options;
    const { installation_token: token } = options;
    this.#installation =
      token === null
        ? null
        : { sha256: sha256(token), mark: `${INSTALLATION}${sha256(sha256(token)).slice(0, 16)}` };
  }

  static async open(options: Options): Promise<SignIns> {
    const signIns = new SignIns(options);
    for (const record of await options.store.signIns()) signIns.#add(record);
    await signIns.#removeVoid();
    signIns.#keeping = signIns.#keep();
    return signIns;
  }

  /** Whether anybody has to sign in. */
  get required(): boolean {
    return this.#installation !== null;
  }

  /** Who bears this token; null when it is none. */
  byToken(secret: string): Caller | null {
    const hash = sha256(secret);
    if (hash === this.#installation?.sha256) return { by: "installation" };
    return this.#use(hash, "token");
  }

  /** Whose cookie has this secret; null when it is none. */
  byBrowser(secret: string): Caller | null {
    return this.#use(sha256(secret), "browser");
  }

  /** Whether a text has a secret of ours in it, which no sandbox may see. */
  hasSecret(text: string): boolean {
    const { installation_token: own } = this.#options;
    if (own !== null && text.includes(own)) return true;
    return (text.match(SECRETS) ?? []).some((secret) => this.#by_secret.has(sha256(secret)));
  }

  /** Whether a sign-in is still good. */
  isIn(token_id: string): boolean {
    const known = this.#by_id.get(token_id);
    return known !== undefined && known.expires_ms > Date.parse(this.#options.clock.now());
  }

  /** Without their secrets, newest first. */
  list(): SignInRecord[] {
    return [...this.#by_id.values()].map(({ record, used_at }) => shown(record, used_at)).reverse();
  }

  /**
   * A token for a program; its secret is given this one time. One that another token makes ends with that, and no later than it expires: else who
   * has found a token that is soon void would have one for ever. Throws AppError `conflict` when there are too many.
   */
  async makeToken(
    by: Caller,
    asked: { name: string; expires_in_s: number | null },
  ): Promise<{ record: SignInRecord; secret: string }> {
    if (!this.required)
      throw new AppError({
        code: "conflict",
        message: "This server runs without sign-in, so nobody needs a token.",
        hint: "Start it without --no-auth to make tokens.",
      });
    const voucher = this.#voucher(by);
    if (voucher === null) throw hasEnded();
    // What the installation's own token makes stays when that is replaced.
    const made_by = voucher.startsWith(INSTALLATION) ? null : voucher;
    const wanted = asked.expires_in_s === null ? null : this.#in(asked.expires_in_s);
    return this.#make({
      kind: "token",
      name: asked.name,
      expires_at: this.#within(made_by, wanted),
      made_by,
    });
  }

  /**
   * Signs a browser in by whoever vouches for it. It ends with the token that did so, or that signed in the browser that did so, and no later than
   * that one expires. Throws AppError `conflict` when there are too many.
   */
  async makeBrowser(by: Caller, name: string): Promise<{ record: SignInRecord; secret: string }> {
    const made_by = this.#voucher(by);
    if (made_by === null) throw hasEnded();
    const expires_at = this.#within(made_by, this.#in(BROWSER_SIGN_IN_MAX_S));
    return this.#make({ kind: "browser", name, expires_at, made_by });
  }

  /** Ends a sign-in, the tokens and browsers that it made, and what they have open. False when it is not there. */
  async revoke(token_id: string): Promise<boolean> {
    const known = this.#by_id.get(token_id);
    if (known === undefined) return false;
    await this.#remove([known]);
    return true;
  }

  /** Calls `end` once when the sign-in of this caller ends, at once when it has; the answer takes that back. */
  onEnd(caller: Caller, end: () => void): () => void {
    if (!("token_id" in caller)) return () => undefined;
    const open = this.#by_id.get(caller.token_id)?.open;
    if (open === undefined) end();
    open?.add(end);
    return () => void open?.delete(end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#keeping;
    await this.#storeUse();
  }

  #use(hash: string, kind: SignInRecord["kind"]): Caller | null {
    const known = this.#by_secret.get(hash);
    if (known === undefined || known.record.kind !== kind) return null;
    const now = this.#options.clock.now();
    if (known.expires_ms <= Date.parse(now)) return null;
    known.used_at = now;
    return { by: kind, token_id: known.record.token_id };
  }

  async #make(
    wanted: Pick<SignInRecord, "kind" | "name" | "expires_at" | "made_by">,
  ): Promise<{ record: SignInRecord; secret: string }> {
    const { names, clock, store } = this.#options;
    const displaced = this.#makeRoom();
    const secret = `${PREFIXES[wanted.kind]}${names.sign_in_secret()}`;
    const record: SignInRecord = {
      token_id: names.token_id(),
      secret_sha256: sha256(secret),
      made_at: clock.now(),
      last_used_at: null,
      ...wanted,
    };
    // Known before it is stored, so that many at once cannot pass the bound, and one that ends meanwhile takes it along.
    const known = this.#add(record);
    try {
      await this.#remove(displaced);
      await store.insertSignIn(record);
    } catch (error) {
      this.#forget(known);
      throw error;
    }
    if (this.#by_id.get(record.token_id) === known) return { record, secret };
    await store.removeSignIns([record.token_id]);
    throw hasEnded();
  }

  /** The end that was wanted, or that of the maker when it is earlier. */
  #within(made_by: string | null, wanted: string | null): string | null {
    const bound = this.#by_id.get(made_by ?? "")?.record.expires_at ?? null;
    return wanted === null || (bound !== null && bound < wanted) ? bound : wanted;
  }

  /** What ends a token or browser that this caller makes; null when that has ended itself. */
  #voucher(by: Caller): string | null {
    if (!("token_id" in by)) return this.#installation?.mark ?? null;
    if (!this.isIn(by.token_id)) return null;
    const record = this.#by_id.get(by.token_id)?.record;
    return (record?.kind === "token" ? record.token_id : record?.made_by) ?? null;
  }

  /** What has to go so that one more is not too many: all that is void, else the browser that was not used for the longest time. */
  #makeRoom(): Known[] {
    if (this.#by_id.size < TOKENS_MAX) return [];
    const gone = this.#void();
    if (gone.length > 0) return gone;
    const [oldest] = [...this.#by_id.values()]
      .filter(({ record }) => record.kind === "browser")
      .sort((a, b) => (lastUse(a) < lastUse(b) ? -1 : 1));
    if (oldest !== undefined) return [oldest];
    throw new AppError({
      code: "conflict",
      message: `There are ${TOKENS_MAX} tokens, which is the limit.`,
      hint: "Revoke those that nobody uses: `sealwork token ls`, `sealwork token rm ID`.",
    });
  }

  /** Those that have expired, or that were signed in by what is not there any more. */
  #void(): Known[] {
    const now_ms = Date.parse(this.#options.clock.now());
    return [...this.#by_id.values()].filter(
      ({ record, expires_ms }) => expires_ms <= now_ms || !this.#isVouchedFor(record),
    );
  }

  #isVouchedFor({ made_by }: SignInRecord): boolean {
    if (made_by === null || !this.required) return true;
    return made_by.startsWith(INSTALLATION) ? made_by === this.#installation?.mark : this.#by_id.has(made_by);
  }

  async #removeVoid(): Promise<void> {
    await this.#remove(this.#void());
  }

  /** They are out at once; when the store fails they are in again, so that it can be tried again. */
  async #remove(ending: readonly Known[]): Promise<void> {
    const ids = new Set(ending.map(({ record }) => record.token_id));
    // What they made may have made others.
    for (let before = 0; before !== ids.size; ) {
      before = ids.size;
      for (const { record } of this.#by_id.values())
        if (ids.has(record.made_by ?? "")) ids.add(record.token_id);
    }
    const gone = [...this.#by_id.values()].filter(({ record }) => ids.has(record.token_id));
    if (gone.length === 0) return;
    for (const known of gone) this.#forget(known);
    try {
      await this.#options.store.removeSignIns(gone.map(({ record }) => record.token_id));
    } catch (error) {
      for (const { record } of gone) this.#add(record);
      throw error;
    }
  }

  #add(record: SignInRecord): Known {
    const expires_ms = record.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(record.expires_at);
    const known: Known = { record, expires_ms, used_at: null, open: new Set() };
    this.#by_id.set(record.token_id, known);
    this.#by_secret.set(record.secret_sha256, known);
    return known;
  }

  #forget(known: Known): void {
    this.#by_id.delete(known.record.token_id);
    this.#by_secret.delete(known.record.secret_sha256);
    const ends = [...known.open];
    known.open.clear();
    for (const end of ends) end();
  }

  /** Stores what was used, and removes what has expired, again and again. */
  async #keep(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await clock.sleep(KEEP_EVERY_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#storeUse();
        await this.#removeVoid();
      } catch (error) {
        log("error", "Sign-ins could not be stored; it is tried again.", { error: String(error) });
      }
    }
  }

  async #storeUse(): Promise<void> {
    const used = [...this.#by_id.values()].filter(({ used_at }) => used_at !== null);
    if (used.length === 0) return;
    const rows = used.map(({ record, used_at }) => ({ token_id: record.token_id, last_used_at: used_at }));
    await this.#options.store.markSignInsUsed(rows);
    for (const [index, known] of used.entries()) {
      const stored = rows[index]?.last_used_at ?? null;
      known.record = { ...known.record, last_used_at: stored };
      if (known.used_at === stored) known.used_at = null;
    }
  }

  #in(seconds: number): string {
    return new Date(Date.parse(this.#options.clock.now()) + seconds * 1000).toISOString();
  }
}

function hasEnded(): AppError {
  return new AppError({
    code: "unauthorized",
    message: "What this would be signed in by has ended.",
  });
}

function lastUse({ record, used_at }: Known): string {
  return used_at ?? record.last_used_at ?? record.made_at;
}

function shown(record: SignInRecord, used_at: string | null): SignInRecord {
  return used_at === null ? record : { ...record, last_used_at: used_at };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
