import assert from "node:assert/strict";
import { randomBytes, randomUUIDv7 } from "node:crypto";
import { describe, test } from "node:test";
import { BROWSER_SIGN_IN_MAX_S, TOKENS_MAX } from "../contract/sign-in-api.ts";
import { testSignIns } from "../stores/store-sign-ins.contract.ts";
import type { Clock } from "./clock.ts";
import { FakeSignInStore } from "./sign-in-store.fake.ts";
import { SignIns } from "./sign-ins.ts";

describe("the store of sign-ins in memory", () => testSignIns(async () => new FakeSignInStore()));

const INSTALLATION_TOKEN = "swt_the-token-of-this-installation";

/** A clock that stands until it is moved; who sleeps wakes when its time is passed. */
class TestClock implements Clock {
  #now_ms = Date.parse("2026-06-01T00:00:00.000Z");
  readonly #sleepers = new Set<{ at_ms: number; wake: () => void }>();

  now(): string {
    return new Date(this.#now_ms).toISOString();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { at_ms: this.#now_ms + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  /** Resolves when who woke has had its turn. */
  async pass(seconds: number): Promise<void> {
    this.#now_ms += seconds * 1000;
    for (const sleeper of this.#sleepers) {
      if (sleeper.at_ms > this.#now_ms) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setImmediate(next));
  }
}

class Door implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly store = new FakeSignInStore();
  readonly logged: string[] = [];
  #open: SignIns | null = null;

  get signIns(): SignIns {
    assert(this.#open !== null);
    return this.#open;
  }

  /** Opens it, anew when it was open: what is known then is what was stored. */
  async open(installation_token: string | null = INSTALLATION_TOKEN): Promise<SignIns> {
    await this.#open?.[Symbol.asyncDispose]();
    this.#open = await SignIns.open({
      store: this.store,
      clock: this.clock,
      names: {
        token_id: () => randomUUIDv7(),
        sign_in_secret: () => randomBytes(32).toString("base64url"),
      },
      installation_token,
      log: (_level, message) => this.logged.push(message),
    });
    return this.#open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.[Symbol.asyncDispose]();
  }
}

const INSTALLATION = { by: "installation" } as const;

test("the installation's token comes in, is no row, and what is only like it does not", async () => {
  await using door = new Door();
  const signIns = await door.open();
  assert.deepEqual(signIns.byToken(INSTALLATION_TOKEN), INSTALLATION);
  for (const wrong of ["", INSTALLATION_TOKEN.slice(0, -1), `${INSTALLATION_TOKEN}x`, "swt_"])
    assert.equal(signIns.byToken(wrong), null, wrong);
  assert.equal(signIns.byBrowser(INSTALLATION_TOKEN), null, "it is no cookie");
  assert.deepEqual(signIns.list(), []);
});

test("a token comes in until it is revoked, also after a restart; only its hash is stored", async () => {
  await using door = new Door();
  let signIns = await door.open();
  const { record, secret } = await signIns.makeToken(INSTALLATION, { name: "ci", expires_in_s: null });
  assert.match(secret, /^swt_[\w-]{43}$/);
  assert.deepEqual(signIns.byToken(secret), { by: "token", token_id: record.token_id });
  assert.equal(signIns.byBrowser(secret), null, "a token is no cookie");
  assert(!JSON.stringify([...door.store.rows.values(), signIns.list()]).includes(secret.slice(4)));
  signIns = await door.open();
  assert.deepEqual(signIns.byToken(secret), { by: "token", token_id: record.token_id });
  assert.equal(await signIns.revoke(record.token_id), true);
  assert.equal(signIns.byToken(secret), null);
  assert.equal(await signIns.revoke(record.token_id), false);
  signIns = await door.open();
  assert.equal(signIns.byToken(secret), null);
});

test("a token expires by the clock, to the second, and is then removed", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const { secret } = await signIns.makeToken(INSTALLATION, { name: "short", expires_in_s: 3600 });
  await door.clock.pass(3599);
  assert.notEqual(signIns.byToken(secret), null);
  await door.clock.pass(1);
  assert.equal(signIns.byToken(secret), null);
  await door.clock.pass(60);
  assert.deepEqual([signIns.list().length, door.store.rows.size], [0, 0]);
});

test("a browser is signed in for so long, and not longer than the token that did it", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const at = (seconds: number) => new Date(Date.parse(door.clock.now()) + seconds * 1000).toISOString();
  const free = await signIns.makeBrowser(INSTALLATION, "Firefox on Linux");
  assert.match(free.secret, /^swb_[\w-]{43}$/);
  assert.equal(free.record.expires_at, at(BROWSER_SIGN_IN_MAX_S));
  assert.equal(signIns.byToken(free.secret), null, "a cookie is no token");
  const token = await signIns.makeToken(INSTALLATION, { name: "short", expires_in_s: 30 });
  const caller = signIns.byToken(token.secret);
  assert(caller !== null);
  const bound = await signIns.makeBrowser(caller, "Chrome on Linux");
  assert.equal(bound.record.expires_at, at(30));
  // It has not been removed yet.
  await door.clock.pass(30);
  assert.equal(signIns.list().length, 3);
  await assert.rejects(signIns.makeBrowser(caller, "late"), { code: "unauthorized" });
});

test("with a token end the browsers that it signed in, by way of others too, and what they have open", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const token = await signIns.makeToken(INSTALLATION, { name: "lent", expires_in_s: null });
  const bearer = signIns.byToken(token.secret);
  assert(bearer !== null);
  const first = await signIns.makeBrowser(bearer, "first");
  const visitor = signIns.byBrowser(first.secret);
  assert(visitor !== null);
  const second = await signIns.makeBrowser(visitor, "second");
  const other = await signIns.makeBrowser(INSTALLATION, "other");
  const ended: string[] = [];
  for (const { record } of [token, first, second, other])
    signIns.onEnd({ by: "browser", token_id: record.token_id }, () => ended.push(record.name));
  const takeBack = signIns.onEnd(visitor, () => ended.push("taken back"));
  takeBack();
  await signIns.revoke(token.record.token_id);
  assert.deepEqual(ended.sort(), ["first", "lent", "second"]);
  assert.equal(signIns.byBrowser(first.secret), null);
  assert.equal(signIns.byBrowser(second.secret), null);
  assert.notEqual(signIns.byBrowser(other.secret), null);
  assert.deepEqual([...door.store.rows.keys()], [other.record.token_id]);
  await assert.rejects(signIns.makeBrowser(visitor, "late"), { code: "unauthorized" });
  signIns.onEnd(visitor, () => ended.push("late"));
  assert.equal(ended.at(-1), "late", "who asks too late is told at once");
});

test("a token that a token made ends with it, by way of browsers and other tokens too, and no later than it expires", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const asked = { name: "found", expires_in_s: 60 };
  const short = await signIns.makeToken(INSTALLATION, asked);
  const bearer = { by: "token", token_id: short.record.token_id } as const;
  const forever = { name: "kept", expires_in_s: null };
  for (const longer of [forever, { name: "kept", expires_in_s: 3600 }])
    assert.equal((await signIns.makeToken(bearer, longer)).record.expires_at, short.record.expires_at);
  const sooner = await signIns.makeToken(bearer, { name: "sooner", expires_in_s: 30 });
  assert(String(sooner.record.expires_at) < String(short.record.expires_at));

  const lent = await signIns.makeToken(INSTALLATION, forever);
  const browser = await signIns.makeBrowser({ by: "token", token_id: lent.record.token_id }, "Firefox");
  const second = await signIns.makeToken({ by: "browser", token_id: browser.record.token_id }, forever);
  const third = await signIns.makeToken({ by: "token", token_id: second.record.token_id }, forever);
  const at_home = await signIns.makeBrowser(INSTALLATION, "Chrome");
  const own = await signIns.makeToken({ by: "browser", token_id: at_home.record.token_id }, forever);
  await signIns.revoke(at_home.record.token_id);
  assert.notEqual(signIns.byToken(own.secret), null, "the installation's own way in has not ended");
  await signIns.revoke(lent.record.token_id);
  for (const { secret } of [second, third]) assert.equal(signIns.byToken(secret), null);
  const late = { by: "token", token_id: third.record.token_id } as const;
  await assert.rejects(signIns.makeToken(late, forever), { code: "unauthorized" });
});

test("what a token made ends with it whatever the clock said when it was made", async () => {
  await using door = new Door();
  let signIns = await door.open();
  const forever = { name: "kept", expires_in_s: null };
  const first = await signIns.makeToken(INSTALLATION, forever);
  await door.clock.pass(-10);
  const second = await signIns.makeToken({ by: "token", token_id: first.record.token_id }, forever);
  await door.clock.pass(-10);
  const third = await signIns.makeToken({ by: "token", token_id: second.record.token_id }, forever);
  signIns = await door.open();
  await signIns.revoke(first.record.token_id);
  for (const { secret } of [first, second, third]) assert.equal(signIns.byToken(secret), null);
});

test("a browser that signs in while its token is revoked is out too", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const token = await signIns.makeToken(INSTALLATION, { name: "lent", expires_in_s: null });
  const bearer = signIns.byToken(token.secret);
  assert(bearer !== null);
  const made = signIns.makeBrowser(bearer, "late");
  const [outcome] = await Promise.allSettled([made, signIns.revoke(token.record.token_id)]);
  assert.equal(outcome.status, "rejected");
  assert.deepEqual([signIns.list().length, door.store.rows.size], [0, 0]);
});

test("browsers that the installation's token signed in end when it is another one, and those of tokens stay", async () => {
  await using door = new Door();
  let signIns = await door.open();
  const old = await signIns.makeBrowser(INSTALLATION, "old");
  const token = await signIns.makeToken(INSTALLATION, { name: "ci", expires_in_s: null });
  // Without sign-in nobody is asked, and nothing is forgotten.
  signIns = await door.open(null);
  assert.equal(signIns.list().length, 2);
  await assert.rejects(signIns.makeToken(INSTALLATION, { name: "x", expires_in_s: null }), {
    code: "conflict",
  });
  signIns = await door.open("swt_another-token");
  assert.equal(signIns.byBrowser(old.secret), null);
  assert.notEqual(signIns.byToken(token.secret), null);
  assert.equal(door.store.rows.size, 1);
});

test("coming in asks nothing of the store; when it was used is stored once a minute, and at the end", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const { record, secret } = await signIns.makeToken(INSTALLATION, { name: "busy", expires_in_s: null });
  const stored = () => door.store.rows.get(record.token_id)?.last_used_at;
  const before = door.store.calls;
  await door.clock.pass(10);
  const used_at = door.clock.now();
  for (let time = 0; time < 1000; time += 1) signIns.byToken(secret);
  assert.deepEqual([door.store.calls, stored()], [before, null]);
  assert.equal(signIns.list()[0]?.last_used_at, used_at);
  await door.clock.pass(50);
  assert.deepEqual([door.store.calls, stored()], [before + 1, used_at]);
  await door.clock.pass(60);
  assert.equal(door.store.calls, before + 1, "nothing is written of what was not used");
  signIns.byToken(secret);
  const last = door.clock.now();
  await door.open();
  assert.equal(stored(), last);
});

test("there are never more than so many: expired ones go first, then the browser that was unused longest", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const short = await signIns.makeToken(INSTALLATION, { name: "short", expires_in_s: 60 });
  await door.clock.pass(1);
  const first = await signIns.makeBrowser(INSTALLATION, "first");
  const second = await signIns.makeBrowser(INSTALLATION, "second");
  for (let n = 3; n < TOKENS_MAX; n += 1)
    await signIns.makeToken(INSTALLATION, { name: `t${n}`, expires_in_s: null });
  assert.equal(signIns.list().length, TOKENS_MAX);
  await door.clock.pass(58);
  signIns.byBrowser(first.secret);
  await door.clock.pass(1);
  const third = await signIns.makeBrowser(INSTALLATION, "third");
  assert(!signIns.list().some(({ token_id }) => token_id === short.record.token_id));
  assert.notEqual(signIns.byBrowser(second.secret), null);
  signIns.byBrowser(first.secret);
  await door.clock.pass(1);
  signIns.byBrowser(first.secret);
  signIns.byBrowser(third.secret);
  await signIns.makeToken(INSTALLATION, { name: "one more", expires_in_s: null });
  assert.equal(signIns.byBrowser(second.secret), null, "it was used least recently");
  await signIns.makeToken(INSTALLATION, { name: "two more", expires_in_s: null });
  await signIns.makeToken(INSTALLATION, { name: "three more", expires_in_s: null });
  await assert.rejects(signIns.makeToken(INSTALLATION, { name: "too many", expires_in_s: null }), {
    code: "conflict",
  });
  assert.deepEqual([signIns.list().length, door.store.rows.size], [TOKENS_MAX, TOKENS_MAX]);
});

test("what the store does not take is not in force: a new one is unknown, a revoked one is still there", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const { record, secret } = await signIns.makeToken(INSTALLATION, { name: "kept", expires_in_s: null });
  door.store.fault = new Error("the disk is full");
  await assert.rejects(signIns.revoke(record.token_id), /disk is full/);
  assert.notEqual(signIns.byToken(secret), null);
  door.store.fault = new Error("the disk is full");
  await assert.rejects(
    signIns.makeToken(INSTALLATION, { name: "not stored", expires_in_s: null }),
    /disk is full/,
  );
  assert.deepEqual(
    signIns.list().map(({ name }) => name),
    ["kept"],
  );
  assert.equal(await signIns.revoke(record.token_id), true);
});

test("a failing store is told of in the log, and asked again a minute later", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const { record, secret } = await signIns.makeToken(INSTALLATION, { name: "busy", expires_in_s: null });
  signIns.byToken(secret);
  door.store.fault = new Error("the disk is full");
  await door.clock.pass(60);
  assert.equal(door.logged.length, 1);
  assert.equal(door.store.rows.get(record.token_id)?.last_used_at, null);
  await door.clock.pass(60);
  assert.notEqual(door.store.rows.get(record.token_id)?.last_used_at, null);
});

test("a text with one of our secrets in it is known, wherever it stands", async () => {
  await using door = new Door();
  const signIns = await door.open();
  const { secret } = await signIns.makeToken(INSTALLATION, { name: "ci", expires_in_s: null });
  const browser = await signIns.makeBrowser(INSTALLATION, "b");
  for (const known of [secret, INSTALLATION_TOKEN, browser.secret])
    assert(signIns.hasSecret(`Bearer ${known}, and more`), known);
  assert(!signIns.hasSecret(`Bearer swt_${"A".repeat(43)}`));
});
