import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { InfiniteQueryObserver, QueryClient, QueryObserver } from "@tanstack/react-query";
import type { Event, EventBody } from "../../../src/contract/event.ts";
import type { Job } from "../../../src/contract/job.ts";
import type { FeedState } from "../feed/messages.ts";
import { keepJobsTrue } from "./job-cache.ts";
import { ENDED, job } from "./job-fixture.ts";
import type { JobsFilter } from "./job-lists.ts";
import { jobQuery, jobsQuery } from "./jobs.ts";

/** A server whose answers wait until the test lets them go, and are then what was true when they were asked for. */
class FakeApi {
  readonly jobs = new Map<string, Job>();
  readonly asked: string[] = [];
  #held: (() => void)[] | null = null;

  fetch = (async (path: string) => {
    this.asked.push(path);
    const body = JSON.stringify(this.#answer(new URL(path, "http://sealwork.localhost")));
    if (this.#held !== null) await new Promise<void>((resolve) => this.#held?.push(resolve));
    return new Response(body);
  }) as typeof globalThis.fetch;

  hold(): void {
    this.#held = [];
  }

  letGo(): void {
    for (const go of this.#held ?? []) go();
    this.#held = null;
  }

  #answer({ pathname, searchParams }: URL): unknown {
    if (pathname !== "/jobs") return this.jobs.get(pathname.slice("/status/".length));
    const status = searchParams.get("status");
    const jobs = [...this.jobs.values()].filter((one) => status === null || one.status === status);
    return { jobs: jobs.toSorted((a, b) => (a.job_id < b.job_id ? 1 : -1)), next_cursor: null };
  }
}

function start(...jobs: Job[]) {
  const api = new FakeApi();
  for (const one of jobs) api.jobs.set(one.job_id, one);
  mock.method(globalThis, "fetch", api.fetch);
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const hear = { events: (_: readonly Event[]) => {}, begins: () => {}, state: (_: FeedState) => {} };
  const undo = [
    keepJobsTrue(client, {
      onEvents: (listener) => set("events", listener),
      onBegin: (listener) => set("begins", listener),
      onState: (listener) => set("state", listener),
    }),
  ];
  function set<K extends keyof typeof hear>(name: K, listener: (typeof hear)[K]): () => void {
    hear[name] = listener;
    return () => undefined;
  }
  let cursor = 0;
  const happens = (one: Job, body: EventBody): void => {
    cursor += 1;
    hear.events([{ ...body, seq: cursor, cursor, job_id: one.job_id, at: "2026-03-01T11:00:00.000Z" }]);
  };
  /** Shows a list, as a page does; what it shows is read from the result. */
  const list = (filter: JobsFilter = {}) => {
    const observer = new InfiniteQueryObserver(client, jobsQuery(filter));
    undo.push(observer.subscribe(() => undefined));
    return () =>
      observer
        .getCurrentResult()
        .data?.pages.flatMap((page) => page.jobs.map((one) => `${one.prompt} ${one.status}`));
  };
  /** The same for the page of a job, with all that it ever showed. */
  const page = (one: Job, seen: unknown[] = []) => {
    const observer = new QueryObserver(client, jobQuery(one.job_id));
    undo.push(observer.subscribe(({ data }) => seen.push(data?.status)));
    return () => observer.getCurrentResult().data?.status;
  };
  stop = () => {
    for (const one of undo) one();
    client.clear();
    mock.restoreAll();
    mock.timers.reset();
  };
  return { api, client, hear, happens, list, page };
}

let stop = (): void => undefined;
afterEach(() => stop());

/** Lets answers arrive: each passes through a number of promises, and the client tells of them by a timer. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

const ended: EventBody = { type: "job.ended", data: { status: "complete", reason: null, summary: "" } };
const scheduled: EventBody = {
  type: "job.scheduled",
  data: { prompt: "", agent: "script", template: "base" },
};
const working: EventBody = { type: "phase.changed", data: { phase: "working", status: "running" } };

test("an ended job is ended everywhere at once, before it was asked for again", async () => {
  const one = job(1);
  const { api, happens, list, page } = start(one, job(2));
  const [all, running, shown] = [list(), list({ status: "running" }), page(one)];
  await settle();
  api.hold();
  api.jobs.set(one.job_id, { ...one, ...ENDED });
  happens(one, ended);
  assert.deepEqual(
    [all(), running(), shown()],
    [["Task 2 running", "Task 1 complete"], ["Task 2 running"], "complete"],
  );
  api.letGo();
  await settle();
  assert.deepEqual(
    [all(), running(), shown()],
    [["Task 2 running", "Task 1 complete"], ["Task 2 running"], "complete"],
  );
});

test("an answer from before an event does not undo it", async () => {
  const one = job(1);
  const { api, happens, list, page } = start(one);
  const all = list();
  const seen: unknown[] = [];
  page(one, seen);
  await settle();
  api.hold();
  happens(one, { type: "model.called", data: {} } as unknown as EventBody);
  await settle();
  api.jobs.set(one.job_id, { ...one, ...ENDED });
  happens(one, ended);
  api.letGo();
  await settle();
  assert.deepEqual(all(), ["Task 1 complete"]);
  assert.deepEqual(
    seen.slice(seen.indexOf("complete")).filter((status) => status !== "complete"),
    [],
  );
});

test("what happens while a page is being loaded is not missed", async () => {
  const one = job(1);
  const { api, happens, list, page } = start(one);
  api.hold();
  const [all, shown] = [list(), page(one)];
  await settle();
  api.jobs.set(one.job_id, { ...one, ...ENDED });
  happens(one, ended);
  api.letGo();
  await settle();
  assert.deepEqual([all(), shown()], [["Task 1 complete"], "complete"]);
});

test("what is being asked for when the stream begins is asked for once more", async () => {
  const one = job(1);
  const { api, hear, list } = start(one);
  api.hold();
  const all = list();
  await settle();
  // It ended before the stream began, so no event tells it.
  api.jobs.set(one.job_id, { ...one, ...ENDED });
  hear.begins();
  api.letGo();
  await settle();
  assert.deepEqual(all(), ["Task 1 complete"]);
});

test("after an outage everything that is shown is asked for again", async () => {
  const one = job(1);
  const { api, hear, list } = start(one);
  const all = list();
  await settle();
  hear.state({ kind: "live" });
  const asked = api.asked.length;
  hear.state({ kind: "live" });
  await settle();
  assert.equal(api.asked.length, asked, "a stream that was only opened anew lost nothing");
  api.jobs.set(one.job_id, { ...one, ...ENDED });
  hear.state({ kind: "lost", since: 0, retry_at: null });
  hear.state({ kind: "live" });
  await settle();
  assert.deepEqual(all(), ["Task 1 complete"]);
});

test("a new job comes to the lists that it belongs to, and one that begins to the list of those that run", async () => {
  const pending = job(2, { status: "pending", phase: "queued" });
  const { api, happens, list } = start(job(1));
  const [all, running, waiting] = [list(), list({ status: "running" }), list({ status: "pending" })];
  await settle();
  api.jobs.set(pending.job_id, pending);
  happens(pending, scheduled);
  await settle();
  assert.deepEqual(
    [all(), running(), waiting()],
    [["Task 2 pending", "Task 1 running"], ["Task 1 running"], ["Task 2 pending"]],
  );
  api.jobs.set(pending.job_id, job(2));
  happens(pending, working);
  await settle();
  assert.deepEqual(
    [all(), running(), waiting()],
    [["Task 2 running", "Task 1 running"], ["Task 2 running", "Task 1 running"], []],
  );
});

test("a job of which much is told is asked for now and then, and nobody asks for one that is not shown", async () => {
  const [one, other] = [job(1), job(2)];
  const { api, happens, page } = start(one, other);
  mock.timers.enable({ apis: ["setTimeout"] });
  page(one);
  await settle();
  api.asked.length = 0;
  for (let times = 0; times < 100; times += 1) {
    happens(one, { type: "model.called", data: {} } as unknown as EventBody);
    happens(other, { type: "model.called", data: {} } as unknown as EventBody);
    await turn();
  }
  assert.ok(api.asked.length <= 4, `${api.asked.length} requests`);
  mock.timers.tick(400);
  await settle();
  assert.ok(api.asked.length <= 8, `${api.asked.length} requests`);
  assert.deepEqual(new Set(api.asked), new Set([`/status/${one.job_id}`]));
});
