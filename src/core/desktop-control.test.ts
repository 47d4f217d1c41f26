import assert from "node:assert/strict";
import { test } from "node:test";
import { DESKTOP_VIEWERS_MAX } from "../contract/desktop-api.ts";
import { AppError } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import type { DesktopControl } from "../contract/surfaces.ts";
import type { Clock } from "./clock.ts";
import { DesktopLease, LEAVE_GRACE_MS, RETELL_MS } from "./desktop-control.ts";
import { initialState } from "./lifecycle.ts";

const ANNA = { viewer: "anna-0001", name: "Anna" };
const BEN = { viewer: "ben-00001", name: "Ben" };

test("one viewer drives at a time, every change is an event and the runner hears of it", async () => {
  const { lease, events, told } = world();
  using anna = lease.join(ANNA);
  using ben = lease.join(BEN);
  await lease.take(ANNA.viewer, { force: false });
  assert.deepEqual([anna.drives, ben.drives, lease.view.held_by], [true, false, "Anna"]);
  await assert.rejects(
    lease.take(BEN.viewer, { force: false }),
    ({ code, message }: AppError) => code === "conflict" && message.startsWith("Anna drives the desktop"),
  );
  assert.deepEqual([anna.drives, ben.drives], [true, false], "a refusal changes nothing");
  await lease.take(BEN.viewer, { force: true });
  assert.deepEqual([anna.drives, ben.drives], [false, true]);
  await lease.give(ANNA.viewer);
  assert.equal(ben.drives, true, "who does not drive has nothing to give back");
  await lease.give(BEN.viewer);
  assert.deepEqual([anna.drives, ben.drives, lease.view.held_by], [false, false, null]);
  assert.deepEqual(events, [
    { held_by: "Anna", cause: "taken" },
    { held_by: "Ben", cause: "taken" },
    { held_by: null, cause: "given_back" },
  ]);
  assert.deepEqual(told.at(-1), { held_by: null, clipboard: true, watched: true });
  assert.ok(told.some(({ held_by }) => held_by === "Ben"));
});

test("an event is stored before the change holds, and one that cannot be stored changes nothing", async () => {
  const { lease, store } = world();
  using anna = lease.join(ANNA);
  store.when = async () => assert.equal(anna.drives, false);
  await lease.take(ANNA.viewer, { force: false });
  store.when = async () => {
    throw new Error("the disk is full");
  };
  await assert.rejects(lease.give(ANNA.viewer), /disk is full/);
  assert.equal(anna.drives, true);
});

test("two who take at the same moment do not both drive", async () => {
  const { lease, events } = world();
  using anna = lease.join(ANNA);
  using ben = lease.join(BEN);
  const both = await Promise.allSettled([
    lease.take(ANNA.viewer, { force: false }),
    lease.take(BEN.viewer, { force: false }),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ["fulfilled", "rejected"],
  );
  assert.deepEqual([anna.drives, ben.drives, events.length], [true, false, 1]);
});

test("who drives keeps the desktop over a dropped connection that comes back, and loses it when none does", async () => {
  const { lease, events, clock } = world();
  lease.join(ANNA)[Symbol.dispose]();
  assert.deepEqual(lease.view.viewers, [], "who only looked is forgotten at once");

  const dropped = lease.join(ANNA);
  await lease.take(ANNA.viewer, { force: false });
  dropped[Symbol.dispose]();
  assert.deepEqual([dropped.drives, lease.view.held_by], [false, "Anna"]);
  clock.pass(LEAVE_GRACE_MS - 1);
  const back = lease.join(ANNA);
  clock.pass(LEAVE_GRACE_MS);
  await settled();
  assert.equal(back.drives, true);

  back[Symbol.dispose]();
  clock.pass(LEAVE_GRACE_MS);
  await settled();
  assert.deepEqual([lease.view.held_by, lease.view.viewers], [null, []]);
  assert.deepEqual(events.at(-1), { held_by: null, cause: "left" });
});

test("two connections of one viewer are one: the last one counts", async () => {
  const { lease, clock } = world();
  const first = lease.join(ANNA);
  using second = lease.join({ ...ANNA, name: "Another name" });
  await lease.take(ANNA.viewer, { force: false });
  assert.deepEqual(lease.view.viewers, [{ viewer: ANNA.viewer, name: "Anna", connections: 2, drives: true }]);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  clock.pass(LEAVE_GRACE_MS);
  await settled();
  assert.equal(second.drives, true);
});

test("who goes away while the take is being stored has it for the grace only", async () => {
  const { lease, store, clock } = world();
  const seat = lease.join(ANNA);
  store.when = async () => seat[Symbol.dispose]();
  await lease.take(ANNA.viewer, { force: false });
  assert.equal(lease.view.held_by, "Anna");
  store.when = async () => undefined;
  using back = lease.join(ANNA);
  assert.equal(back.drives, true);
  back[Symbol.dispose]();
  clock.pass(LEAVE_GRACE_MS);
  await settled();
  assert.equal(lease.view.held_by, null);
});

test("a viewer who does not look cannot drive, and there is a bound to those who look", async () => {
  const { lease } = world();
  await assert.rejects(lease.take(ANNA.viewer, { force: true }), hasCode("conflict"));
  const seats = Array.from({ length: DESKTOP_VIEWERS_MAX }, (_, n) =>
    lease.join({ viewer: `viewer-${n}`, name: "Many" }),
  );
  assert.throws(() => lease.join(ANNA), hasCode("too_many_requests"));
  seats[0]?.[Symbol.dispose]();
  using _anna = lease.join(ANNA);
});

test("the runner hears who looks and whether the clipboard passes, again with each link, the last word last", async () => {
  const { lease, told } = world();
  const seat = lease.join(ANNA);
  await lease.setClipboard(false);
  assert.deepEqual(told.at(-1), { held_by: null, clipboard: false, watched: true });
  assert.equal(seat.clipboard, false);
  seat[Symbol.dispose]();
  await settled();
  assert.deepEqual(told.at(-1), { held_by: null, clipboard: false, watched: false });
  const before = told.length;
  await lease.linked(null);
  await settled();
  assert.deepEqual([told.length, told.at(-1)?.clipboard], [before + 1, false]);
});

test("what the runner did not answer while its link lives is told again", async () => {
  const { lease, told, runner, clock } = world();
  using _anna = lease.join(ANNA);
  await lease.take(ANNA.viewer, { force: false });
  runner.hears = async () => {
    throw new AppError({ code: "link_lost", message: "A request had no answer." });
  };
  await lease.give(ANNA.viewer);
  assert.equal(told.at(-1)?.held_by, "Anna");
  runner.hears = async () => undefined;
  clock.pass(RETELL_MS);
  await settled();
  assert.equal(told.at(-1)?.held_by, null);
});

test("whom an orchestrator before this one let drive does not drive any more, and the runner hears it", async () => {
  const { lease, events, told } = world();
  await lease.linked("Anna");
  await settled();
  assert.deepEqual(events, [{ held_by: null, cause: "left" }]);
  assert.deepEqual(told, [{ held_by: null, clipboard: true, watched: false }]);
});

test("when the job is ending nobody joins, takes or is missed", async () => {
  const { lease, events, ended, clock, failures } = world();
  const seat = lease.join(ANNA);
  await lease.take(ANNA.viewer, { force: false });
  ended.abort(new AppError({ code: "conflict", message: "The job has ended." }));
  seat[Symbol.dispose]();
  clock.pass(LEAVE_GRACE_MS);
  await settled();
  assert.throws(() => lease.join(BEN), hasCode("conflict"));
  await assert.rejects(lease.take(ANNA.viewer, { force: true }), hasCode("conflict"));
  assert.deepEqual([events.length, failures], [1, []]);
});

test("a release that cannot be stored is a fault of the job, since the agent would wait for ever", async () => {
  const { lease, store, clock, failures } = world();
  const seat = lease.join(ANNA);
  await lease.take(ANNA.viewer, { force: false });
  store.when = async () => {
    throw new Error("the disk is full");
  };
  seat[Symbol.dispose]();
  clock.pass(LEAVE_GRACE_MS);
  await settled();
  assert.match(String(failures), /disk is full/);
});

test("listeners hear of changes until they stop listening", async () => {
  const { lease } = world();
  const heard: (string | null)[] = [];
  const listening = lease.onChange(() => heard.push(lease.view.held_by));
  using _anna = lease.join(ANNA);
  await lease.take(ANNA.viewer, { force: false });
  listening[Symbol.dispose]();
  await lease.give(ANNA.viewer);
  assert.equal(heard.at(-1), "Anna");
});

/** A lease over a job in memory; `store.when` runs before each event is stored, `runner.hears` before it is told anything. */
function world() {
  const events: Extract<EventBody, { type: "control.changed" }>["data"][] = [];
  const told: DesktopControl[] = [];
  const failures: unknown[] = [];
  const ended = new AbortController();
  const clock = new HandClock();
  const store = { when: async (): Promise<void> => undefined };
  const runner = { hears: async (): Promise<void> => undefined };
  const state = { ...initialState(), phase: "working" as const };
  const lease = new DesktopLease(
    {
      record: { job_id: "job" } as never,
      apply: async (change) => {
        await store.when();
        const transition = typeof change === "function" ? change(state) : change;
        for (const event of transition?.events ?? [])
          if (event.type === "control.changed") events.push(event.data);
      },
    },
    {
      clock,
      ended: ended.signal,
      tell: async (control) => {
        await runner.hears();
        told.push(control);
      },
      failed: (error) => failures.push(error),
    },
  );
  return { lease, events, told, failures, ended, clock, store, runner };
}

/** A clock that is moved by hand. */
class HandClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();

  now(): string {
    return new Date(this.#now).toISOString();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { until: this.#now + ms, wake: resolve };
      const stop = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      if (signal.aborted) return stop();
      signal.addEventListener("abort", stop, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  pass(ms: number): void {
    this.#now += ms;
    for (const sleeper of this.#sleepers)
      if (sleeper.until <= this.#now) {
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
  }
}

/** Everything that follows without I/O has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof AppError && error.code === code;
}
