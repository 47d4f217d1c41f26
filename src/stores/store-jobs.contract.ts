import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { it } from "node:test";
import type { EventBody } from "../contract/event.ts";
import { PROMPT_LISTED_MAX_CHARS } from "../contract/job.ts";
import type { JobRecord, JobState, Store } from "../core/store.ts";
import {
  ALL,
  AT,
  ids,
  insert,
  newJob,
  range,
  readAllEvents,
  runnerSaid,
  said,
  seqs,
} from "./store-fixtures.ts";

export function testJobs(open: () => Promise<Store>): void {
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
    assert.deepEqual(await readAllEvents(store, ALL), []);
  });

  it("inserts one job for one idempotency key, however many ask at the same time", async () => {
    await using store = await open();
    const key = { key: "k1", fingerprint: "f1" };
    const answers = await Promise.all(range(1, 10).map(() => store.insertJob(newJob({}), [said("x")], key)));
    assert.equal(answers.filter((answer) => answer.fresh).length, 1);
    assert.equal(new Set(answers.map((answer) => answer.job.job_id)).size, 1);
    assert.equal((await readAllEvents(store, ALL)).length, 1);
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

  it("gives the jobs that have not ended, oldest first", async () => {
    await using store = await open();
    assert.deepEqual(await store.unendedJobs(), []);
    const phases = ["packing", "ended", "queued", "waiting", "starting", "working", "queued"] as const;
    const jobs = phases.map((phase, index) =>
      newJob({ scheduled_at: `2026-05-0${9 - index}T00:00:00.000Z`, state: { phase } }),
    );
    for (const job of jobs) await store.insertJob(job, [], null);
    const unended = await store.unendedJobs();
    assert.deepEqual(unended, jobs.filter((job) => job.state.phase !== "ended").toReversed());
    for (const { job_id } of jobs) await store.append(job_id, AT, { phase: "ended", ended_at: AT }, []);
    assert.deepEqual(await store.unendedJobs(), []);
  });
}

export function testList(open: () => Promise<Store>): void {
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

export function testRetention(open: () => Promise<Store>): void {
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

  it("lists long prompts cut short and without env, finds them by what was cut off, and gives one whole", async () => {
    await using store = await open();
    const prompt = `${"x".repeat(PROMPT_LISTED_MAX_CHARS - 1)}\u{1F600} and the end`;
    const job = await insert(store, { request: { prompt, env: { SECRET: "s" }, labels: { a: "b" } } });
    const { jobs } = await store.listJobs({ text: "the END" }, 10, null);
    const listed = { ...job.request, prompt: prompt.slice(0, PROMPT_LISTED_MAX_CHARS - 1), env: {} };
    assert.deepEqual(jobs, [{ ...job, request: listed }]);
    assert.equal((await store.getJob(job.job_id))?.request.prompt, prompt);
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
