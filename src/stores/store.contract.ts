import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import type { Event, EventBody, RunnerEvent } from "../contract/event.ts";
import { JobRequest, type JobRequestInput, Limits, NO_USAGE } from "../contract/job.ts";
import type { JobRecord, JobState, Store } from "../core/store.ts";

type OpenStore = (options: { clock: () => Date }) => Promise<Store>;

/** What every store must do, whatever it is made of. `open` gives an empty one each time; the suite disposes it. */
export function testStore(name: string, open: OpenStore): void {
  const openNow = () => open({ clock: () => new Date("2026-06-01T00:00:00.000Z") });
  describe(`${name}: events`, () => testEvents(openNow));
  describe(`${name}: events of a runner`, () => testRunnerEvents(openNow));
  describe(`${name}: jobs`, () => testJobs(openNow));
  describe(`${name}: the list of jobs`, () => testList(openNow));
  describe(`${name}: retention`, () => testRetention(openNow));
}

export const AT = "2026-05-01T10:00:00.000Z";
const ALL = { after: 0, limit: 10_000 };

export function newJob(options: {
  request?: Partial<JobRequestInput>;
  scheduled_at?: string;
  job_id?: string;
  state?: Partial<JobState>;
}): JobRecord {
  return {
    job_id: options.job_id ?? randomUUID(),
    owner: "orchestrator-1",
    scheduled_at: options.scheduled_at ?? AT,
    request: JobRequest.parse({ prompt: "Do something.", ...options.request }),
    limits: Limits.parse({}),
    retry_of: null,
    has_upload: false,
    state: {
      status: "pending",
      phase: "queued",
      reason: null,
      ending: null,
      cancel_requested: false,
      sandbox_id: null,
      volume: null,
      image: null,
      link_secret: null,
      runner_epoch: null,
      runner_n: 0,
      starting_at: null,
      started_at: null,
      packing_at: null,
      ended_at: null,
      usage: NO_USAGE,
      result: null,
      ...options.state,
    },
  };
}

export function said(text: string): EventBody {
  return { type: "message.said", data: { from: "agent", text } };
}

export function output(n: number, text: string): RunnerEvent {
  const data = { step: 1, stream: "stdout", encoding: "utf8", data: text } as const;
  return { n, at: "1999-01-01T00:00:00.000Z", type: "step.output", data };
}

function runnerSaid(n: number): RunnerEvent {
  return { n, at: "1999-01-01T00:00:00.000Z", type: "message.said", data: { from: "agent", text: `${n}` } };
}

async function insert(store: Store, options: Parameters<typeof newJob>[0] = {}): Promise<JobRecord> {
  const { job } = await store.insertJob(newJob(options), [], null);
  return job;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const seqs = (events: Event[]) => events.map((event) => event.seq);
const ids = (jobs: JobRecord[]) => jobs.map((job) => job.job_id);

function testEvents(open: () => Promise<Store>): void {
  it("numbers the first events of a job from 1 and gives them back as they are stored", async () => {
    await using store = await open();
    const job = newJob({});
    const scheduled = { prompt: "Do something.", agent: "auto", template: "base" };
    const first: EventBody[] = [
      { type: "job.scheduled", data: scheduled },
      { type: "phase.changed", data: { phase: "queued", status: "pending" } },
    ];
    const { events, fresh } = await store.insertJob(job, first, null);
    assert.equal(fresh, true);
    assert.deepEqual(seqs(events), [1, 2]);
    assert.deepEqual(
      events.map(({ type, data }) => ({ type, data })),
      first,
    );
    assert.deepEqual(
      new Set(events.map(({ at, job_id }) => `${at} ${job_id}`)),
      new Set([`${AT} ${job.job_id}`]),
    );
    assert.deepEqual(await store.readEvents(job.job_id, ALL), events);
  });

  it("gives fifty appends at the same time numbers without a gap, those of one call in a row", async () => {
    await using store = await open();
    const [one, two] = [await insert(store), await insert(store)];
    const stored = await Promise.all(
      range(1, 50).map((k) => {
        const job_id = k % 2 === 0 ? one.job_id : two.job_id;
        return store.append(job_id, AT, {}, [said(`${k}a`), said(`${k}b`)]);
      }),
    );
    for (const { job_id } of [one, two]) {
      const events = await store.readEvents(job_id, ALL);
      assert.deepEqual(seqs(events), range(1, 50));
      const calls = stored.filter((call) => call[0]?.job_id === job_id);
      for (const [a, b] of calls) assert.equal(b?.seq, (a?.seq ?? 0) + 1);
      assert.deepEqual(
        calls.flat().sort((a, b) => a.seq - b.seq),
        events,
      );
    }
    const cursors = (await store.readAllEvents(ALL)).map((event) => event.cursor);
    assert.equal(new Set(cursors).size, 100);
    assert.deepEqual(
      cursors,
      cursors.toSorted((a, b) => a - b),
    );
  });

  it("reads after a number, by type, without types, and never more than the limit", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    await store.append(job_id, AT, {}, [said("a"), { type: "cancel.requested", data: {} }, said("b")]);
    await store.appendFromRunner(job_id, AT, "e", [output(1, "x"), output(2, "y")], {});
    const read = async (filter: object) => seqs(await store.readEvents(job_id, { ...ALL, ...filter }));
    assert.deepEqual(await read({}), [1, 2, 3, 4, 5]);
    assert.deepEqual(await read({ after: 2 }), [3, 4, 5]);
    assert.deepEqual(await read({ after: 1, limit: 2 }), [2, 3]);
    assert.deepEqual(await read({ after: 5 }), []);
    assert.deepEqual(await read({ types: ["message.said"] }), [1, 3]);
    assert.deepEqual(await read({ types: ["step.output"] }), [4, 5]);
    assert.deepEqual(await read({ types: ["step.output", "cancel.requested"], after: 1 }), [2, 4, 5]);
    assert.deepEqual(await read({ types: [] }), []);
    assert.deepEqual(await read({ without: ["step.output"] }), [1, 2, 3]);
    assert.deepEqual(await read({ without: ["step.output", "message.said"] }), [2]);
    assert.deepEqual(await read({ without: ["message.said"] }), [2, 4, 5]);
    assert.deepEqual(await read({ types: ["step.output"], without: ["step.output"] }), [4, 5]);
  });

  it("reads the events of all jobs by one cursor, with the same filters", async () => {
    await using store = await open();
    assert.equal(await store.lastCursor(), 0);
    const [one, two] = [await insert(store), await insert(store)];
    const [first] = await store.append(one.job_id, AT, {}, [said("one")]);
    assert(first);
    await store.appendFromRunner(two.job_id, AT, "e", [output(1, "x")], {});
    const [last] = await store.append(two.job_id, AT, {}, [said("two")]);
    assert.equal(await store.lastCursor(), last?.cursor);
    const rest = await store.readAllEvents({ after: first.cursor, limit: 10 });
    assert.deepEqual(rest, await store.readEvents(two.job_id, ALL));
    assert.deepEqual(await store.readAllEvents({ ...ALL, without: ["step.output"] }), [first, last]);
    assert.deepEqual(await store.readAllEvents({ ...ALL, types: ["step.output"] }), rest.slice(0, 1));
    assert.deepEqual(await store.readAllEvents({ ...ALL, limit: 1 }), [first]);
  });

  it("keeps text as it is: unicode, control characters, quotes, half of a surrogate pair", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    const text = `žluťoučký 🐴 \u0000\u0001\r\n'"\\ \ud83d`;
    await store.append(job_id, AT, {}, [said(text)]);
    const [event] = await store.readEvents(job_id, ALL);
    assert.deepEqual(event?.data, { from: "agent", text });
  });
}

function testRunnerEvents(open: () => Promise<Store>): void {
  it("skips what is stored already, and says which events were new", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    await store.appendFromRunner(job_id, AT, "e1", [1, 2, 3].map(runnerSaid), {});
    const added = await store.appendFromRunner(job_id, AT, "e1", [2, 3, 4, 5].map(runnerSaid), {});
    assert.deepEqual(
      added.map(({ seq, data }) => [seq, data]),
      [
        [4, { from: "agent", text: "4" }],
        [5, { from: "agent", text: "5" }],
      ],
    );
    assert.deepEqual(await store.appendFromRunner(job_id, AT, "e1", [1, 5].map(runnerSaid), {}), []);
    assert.deepEqual(seqs(await store.readEvents(job_id, ALL)), [1, 2, 3, 4, 5]);
  });

  it("skips an event that comes twice in one batch", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    const added = await store.appendFromRunner(job_id, AT, "e1", [1, 2, 2, 1, 3].map(runnerSaid), {});
    assert.deepEqual(seqs(added), [1, 2, 3]);
  });

  it("takes the same numbers again from another epoch, and from another job", async () => {
    await using store = await open();
    const [one, two] = [await insert(store), await insert(store)];
    await store.appendFromRunner(one.job_id, AT, "e1", [1, 2].map(runnerSaid), {});
    await store.append(one.job_id, AT, {}, [said("in between")]);
    await store.appendFromRunner(one.job_id, AT, "e2", [1].map(runnerSaid), {});
    await store.appendFromRunner(two.job_id, AT, "e1", [1].map(runnerSaid), {});
    await store.appendFromRunner(one.job_id, AT, "e1", [2, 3].map(runnerSaid), {});
    assert.deepEqual(seqs(await store.readEvents(one.job_id, ALL)), [1, 2, 3, 4, 5]);
    assert.deepEqual(seqs(await store.readEvents(two.job_id, ALL)), [1]);
  });

  it("moves runner_epoch and runner_n along with what is new, and only with that", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    const position = async () => {
      const state = (await store.getJob(job_id))?.state;
      return [state?.runner_epoch, state?.runner_n];
    };
    await store.appendFromRunner(job_id, AT, "e1", [1, 2, 3].map(runnerSaid), {});
    assert.deepEqual(await position(), ["e1", 3]);
    await store.appendFromRunner(job_id, AT, "e2", [1].map(runnerSaid), {});
    assert.deepEqual(await position(), ["e2", 1]);
    await store.appendFromRunner(job_id, AT, "e1", [2, 3].map(runnerSaid), {});
    assert.deepEqual(await position(), ["e2", 1]);
    await store.appendFromRunner(job_id, AT, "e2", [2, 3].map(runnerSaid), {});
    assert.deepEqual(await position(), ["e2", 3]);
  });

  it("uses the orchestrator's time, not the runner's, and applies the change", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    const usage = { ...NO_USAGE, output_bytes: 1 };
    const [event] = await store.appendFromRunner(job_id, AT, "e1", [output(1, "x")], { usage });
    assert.equal(event?.at, AT);
    assert.deepEqual((await store.getJob(job_id))?.state.usage, usage);
  });

  it("stores a batch of a thousand events once, in order, while the same batch comes from two links", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    const batch = range(1, 1000).map((n) => output(n, `line ${n}\n`));
    const both = await Promise.all([1, 2].map(() => store.appendFromRunner(job_id, AT, "e1", batch, {})));
    assert.equal(both.flat().length, 1000);
    const events = await store.readEvents(job_id, ALL);
    assert.deepEqual(seqs(events), range(1, 1000));
    assert.deepEqual(
      events.map((event) => event.data),
      batch.map((event) => event.data),
    );
  });
}

function testJobs(open: () => Promise<Store>): void {
  it("gives a job back exactly as it was stored", async () => {
    await using store = await open();
    const job: JobRecord = {
      ...newJob({ request: { env: { SECRET: "s" }, labels: { team: "café" }, priority: -3, patch: true } }),
      retry_of: randomUUID(),
      has_upload: true,
    };
    await store.insertJob(job, [], null);
    assert.deepEqual(await store.getJob(job.job_id), job);
    assert.equal(await store.getJob(randomUUID()), null);
  });

  it("changes only what the change names", async () => {
    await using store = await open();
    const job = await insert(store);
    await store.append(job.job_id, AT, { phase: "starting", sandbox_id: "s1" }, []);
    await store.append(job.job_id, AT, { cancel_requested: true }, []);
    const state = { ...job.state, phase: "starting", sandbox_id: "s1", cancel_requested: true };
    assert.deepEqual((await store.getJob(job.job_id))?.state, state);
  });

  it("stores neither the change nor any event when one of the events cannot be stored", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const broken = { type: "message.said", data: circular } as unknown as EventBody;
    const many = range(1, 300).map((k) => said(`${k}`));
    await assert.rejects(store.append(job_id, AT, { phase: "starting" }, [...many, broken]), TypeError);
    assert.equal((await store.getJob(job_id))?.state.phase, "queued");
    assert.deepEqual(await store.readEvents(job_id, ALL), []);
    assert.deepEqual(seqs(await store.append(job_id, AT, {}, [said("next")])), [1]);
  });

  it("stores nothing of a job whose first event cannot be stored, so that its key stays free", async () => {
    await using store = await open();
    const job = newJob({ request: { labels: { a: "b" } } });
    const broken = { type: "message.said", data: 1n } as unknown as EventBody;
    const key = { key: "k", fingerprint: "f" };
    await assert.rejects(store.insertJob(job, [broken], key), TypeError);
    assert.equal(await store.getJob(job.job_id), null);
    assert.equal((await store.insertJob(job, [said("fine")], key)).fresh, true);
  });

  it("refuses to change a job that is not there", async () => {
    await using store = await open();
    const job_id = randomUUID();
    await assert.rejects(store.append(job_id, AT, {}, [said("x")]), { code: "not_found" });
    await assert.rejects(store.appendFromRunner(job_id, AT, "e", [runnerSaid(1)], {}), { code: "not_found" });
    assert.deepEqual(await store.readAllEvents(ALL), []);
  });

  it("inserts one job for one idempotency key, however many ask at the same time", async () => {
    await using store = await open();
    const key = { key: "k1", fingerprint: "f1" };
    const answers = await Promise.all(range(1, 10).map(() => store.insertJob(newJob({}), [said("x")], key)));
    assert.equal(answers.filter((answer) => answer.fresh).length, 1);
    assert.equal(new Set(answers.map((answer) => answer.job.job_id)).size, 1);
    assert.equal((await store.readAllEvents(ALL)).length, 1);
    const later = await store.insertJob(newJob({}), [], { key: "k2", fingerprint: "f1" });
    assert.equal(later.fresh, true);
  });

  it("gives the job of a known key as it is now, and refuses the key for another body", async () => {
    await using store = await open();
    const key = { key: "k1", fingerprint: "f1" };
    const { job } = await store.insertJob(newJob({}), [], key);
    await store.append(job.job_id, AT, { phase: "starting" }, []);
    const again = await store.insertJob(newJob({}), [said("x")], key);
    assert.deepEqual(again, { job: await store.getJob(job.job_id), fresh: false, events: [] });
    assert.equal(again.job.state.phase, "starting");
    const other = store.insertJob(newJob({}), [], { key: "k1", fingerprint: "f2" });
    await assert.rejects(other, { name: "AppError", code: "idempotency_mismatch" });
  });

  it("gives the jobs that have not ended, oldest first, and counts those that wait", async () => {
    await using store = await open();
    assert.deepEqual([await store.unendedJobs(), await store.countQueued()], [[], 0]);
    const phases = ["packing", "ended", "queued", "waiting", "starting", "working", "queued"] as const;
    const jobs = phases.map((phase, index) =>
      newJob({ scheduled_at: `2026-05-0${9 - index}T00:00:00.000Z`, state: { phase } }),
    );
    for (const job of jobs) await store.insertJob(job, [], null);
    const unended = await store.unendedJobs();
    assert.deepEqual(unended, jobs.filter((job) => job.state.phase !== "ended").toReversed());
    assert.equal(await store.countQueued(), 2);
    for (const { job_id } of jobs) await store.append(job_id, AT, { phase: "ended", ended_at: AT }, []);
    assert.deepEqual([await store.unendedJobs(), await store.countQueued()], [[], 0]);
  });
}

function testList(open: () => Promise<Store>): void {
  it("lists newest first in pages that neither repeat nor lose a job, also when jobs come in between", async () => {
    await using store = await open();
    const at = (k: number) => `2026-05-01T10:00:00.00${Math.floor(k / 5)}Z`;
    const jobs: JobRecord[] = [];
    for (const k of range(0, 22)) jobs.push(await insert(store, { scheduled_at: at(k) }));
    const expected = ids(
      jobs.toSorted((a, b) => (`${a.scheduled_at} ${a.job_id}` < `${b.scheduled_at} ${b.job_id}` ? 1 : -1)),
    );
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: Awaited<ReturnType<Store["listJobs"]>> = await store.listJobs({}, 4, cursor);
      seen.push(...ids(page.jobs));
      cursor = page.next_cursor;
      pages += 1;
      await insert(store, { scheduled_at: "2026-05-02T00:00:00.000Z" });
    } while (cursor !== null);
    assert.deepEqual(seen, expected);
    assert.equal(pages, 6);
  });

  it("has no cursor after the last job, also when the last page is full", async () => {
    await using store = await open();
    assert.deepEqual(await store.listJobs({}, 5, null), { jobs: [], next_cursor: null });
    for (const _ of range(1, 4)) await insert(store);
    const first = await store.listJobs({}, 2, null);
    assert.notEqual(first.next_cursor, null);
    const second = await store.listJobs({}, 2, first.next_cursor);
    assert.equal(second.jobs.length, 2);
    assert.equal(second.next_cursor, null);
  });

  it("refuses a cursor that is not its own", async () => {
    await using store = await open();
    const foreign = ["x", "", "%", "bnVsbA", Buffer.from("2026-05-01 x").toString("base64url")];
    for (const cursor of foreign) {
      await assert.rejects(store.listJobs({}, 5, cursor), { name: "AppError", code: "invalid_request" });
    }
  });

  it("filters by status, label and text together", async () => {
    await using store = await open();
    const labels = { team: "a", "env/stage": "" };
    const wanted = await insert(store, { request: { prompt: "Sales report", labels } });
    await insert(store, { request: { prompt: "Sales report", labels: { team: "b" } } });
    await insert(store, { request: { prompt: "Sales report" } });
    await insert(store, { request: { prompt: "Other", labels } });
    const ended: Partial<JobState> = { status: "complete", phase: "ended", ended_at: AT };
    await insert(store, { request: { prompt: "Sales report", labels }, state: ended });
    const list = async (filter: object) => ids((await store.listJobs(filter, 100, null)).jobs);
    const team = { name: "team", value: "a" };
    assert.deepEqual(await list({ status: "pending", label: team, text: "report" }), [wanted.job_id]);
    assert.equal((await list({ label: team })).length, 3);
    assert.equal((await list({ label: { name: "team", value: null } })).length, 4);
    assert.equal((await list({ label: { name: "env/stage", value: "" } })).length, 3);
    assert.equal((await list({ label: { name: "TEAM", value: null } })).length, 0);
    assert.equal((await list({ label: { name: "a", value: "team" } })).length, 0);
    assert.equal((await list({ status: "complete" })).length, 1);
    assert.equal((await list({ status: "error" })).length, 0);
  });

  it("keeps to the filter from page to page", async () => {
    await using store = await open();
    for (const k of range(1, 9)) await insert(store, { request: { prompt: k % 3 === 0 ? "yes" : "no" } });
    const first = await store.listJobs({ text: "yes" }, 2, null);
    const second = await store.listJobs({ text: "yes" }, 2, first.next_cursor);
    const prompts = [...first.jobs, ...second.jobs].map((job) => job.request.prompt);
    assert.deepEqual(prompts, ["yes", "yes", "yes"]);
    assert.equal(second.next_cursor, null);
  });

  it("finds text whatever its case and form in unicode, and takes % _ and \\ as they are", async () => {
    await using store = await open();
    const prompts = [
      "100% sure",
      "100 per cent",
      "a_b",
      "axb",
      "C:\\temp",
      "ŽLUŤOUČKÝ kůň",
      "Straße",
      "it's",
    ];
    for (const prompt of prompts) await insert(store, { request: { prompt } });
    const find = async (text: string) =>
      (await store.listJobs({ text }, 100, null)).jobs.map((job) => job.request.prompt);
    assert.deepEqual(await find("0%"), ["100% sure"]);
    assert.deepEqual(await find("A_B"), ["a_b"]);
    assert.deepEqual(await find("c:\\T"), ["C:\\temp"]);
    assert.deepEqual(await find("žluťoučký KŮŇ".normalize("NFD")), ["ŽLUŤOUČKÝ kůň"]);
    assert.deepEqual(await find("STRASSE"), ["Straße"]);
    assert.deepEqual(await find("IT'S"), ["it's"]);
    assert.deepEqual(await find("%"), ["100% sure"]);
    assert.deepEqual(await find("nothing like it"), []);
    assert.equal((await find("")).length, prompts.length);
  });
}

function testRetention(open: () => Promise<Store>): void {
  const ended = (day: number): Partial<JobState> => ({
    status: "complete",
    phase: "ended",
    ended_at: `2026-05-0${day}T00:00:00.000Z`,
  });

  it("gives the jobs that ended before a time, oldest first, and none that goes on", async () => {
    await using store = await open();
    const [third, first, , second] = [
      await insert(store, { state: ended(3) }),
      await insert(store, { state: ended(1) }),
      await insert(store, { scheduled_at: "2020-01-01T00:00:00.000Z" }),
      await insert(store, { state: ended(2) }),
      await insert(store, { state: ended(4) }),
    ];
    const before = "2026-05-04T00:00:00.000Z";
    assert.deepEqual(await store.expiredJobs(before, 10), [first.job_id, second.job_id, third.job_id]);
    assert.deepEqual(await store.expiredJobs(before, 2), [first.job_id, second.job_id]);
    assert.deepEqual(await store.expiredJobs("2026-05-01T00:00:00.000Z", 10), []);
  });

  it("removes a job in slices, then remembers that it was there", async () => {
    await using store = await open();
    const labels = { team: "a" };
    const key = { key: "k", fingerprint: "f" };
    const { job } = await store.insertJob(newJob({ request: { labels }, state: ended(1) }), [], key);
    const other = await insert(store, { state: ended(2) });
    await store.appendFromRunner(job.job_id, AT, "e", range(1, 25).map(runnerSaid), {});
    await store.append(other.job_id, AT, {}, [said("stays")]);

    assert.equal(await store.removeJobSlice(job.job_id, 10), false);
    assert.deepEqual(seqs(await store.readEvents(job.job_id, ALL)), range(11, 25));
    assert.equal(await store.wasRemoved(job.job_id), false);
    assert.equal(await store.removeJobSlice(job.job_id, 10), false);
    assert.equal(await store.removeJobSlice(job.job_id, 10), true);

    assert.equal(await store.getJob(job.job_id), null);
    assert.equal(await store.wasRemoved(job.job_id), true);
    assert.deepEqual(await store.readEvents(job.job_id, ALL), []);
    assert.deepEqual(ids((await store.listJobs({}, 10, null)).jobs), [other.job_id]);
    assert.equal((await store.readEvents(other.job_id, ALL)).length, 1);
    assert.deepEqual(await store.expiredJobs("2027-01-01T00:00:00.000Z", 10), [other.job_id]);
    assert.equal((await store.insertJob(newJob({ request: { labels } }), [], key)).fresh, true);
  });

  it("removes a job whose events just fill the slice, and one without events, in one call", async () => {
    await using store = await open();
    const [full, empty] = [await insert(store), await insert(store)];
    await store.append(full.job_id, AT, {}, [said("1"), said("2")]);
    assert.equal(await store.removeJobSlice(full.job_id, 2), true);
    assert.equal(await store.removeJobSlice(empty.job_id, 2), true);
    assert.deepEqual(await store.listJobs({}, 10, null), { jobs: [], next_cursor: null });
  });

  it("takes the removal of a job that is gone as done, and remembers nothing of one that never was", async () => {
    await using store = await open();
    const gone = await insert(store);
    assert.equal(await store.removeJobSlice(gone.job_id, 5), true);
    assert.equal(await store.removeJobSlice(gone.job_id, 5), true);
    assert.equal(await store.wasRemoved(gone.job_id), true);
    const unknown = randomUUID();
    assert.equal(await store.removeJobSlice(unknown, 5), true);
    assert.equal(await store.wasRemoved(unknown), false);
  });

  it("never gives the cursor of a removed event to another one", async () => {
    await using store = await open();
    const [old, kept] = [await insert(store), await insert(store)];
    const [last] = await store.append(old.job_id, AT, {}, [said("old")]);
    await store.removeJobSlice(old.job_id, 5);
    const [next] = await store.append(kept.job_id, AT, {}, [said("new")]);
    assert((next?.cursor ?? 0) > (last?.cursor ?? 0));
  });
}
