import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { openSqliteStore } from "../stores/sqlite.ts";
import { AT, insert, output, range, runnerSaid, said } from "../stores/store-fixtures.ts";
import { EventLog, type Follow, type FollowAll } from "./event-log.ts";
import type { EventLine, Store } from "./store.ts";

const never = new AbortController().signal;
const EVERYTHING: Follow = { after: null, types: null, follow: false };

/** A log over a real store that counts how often events are read. */
async function openLog() {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-log-"));
  const store = await openSqliteStore({ file: join(folder, "test.db") });
  const counts = { reads: 0 };
  const read = store.readAllEventLines.bind(store);
  store.readAllEventLines = (filter) => {
    counts.reads += 1;
    return read(filter);
  };
  const log = new EventLog(store, { now: () => AT, sleep: () => Promise.reject(new Error("nobody sleeps")) });
  return {
    store,
    log,
    counts,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function jobWith(store: Store, count: number): Promise<string> {
  const { job_id } = await insert(store, { state: { phase: "working" } });
  const events = range(1, count).map((n) => (n % 2 === 0 ? output(n, `${n}\n`) : runnerSaid(n)));
  await store.appendFromRunner(job_id, AT, "e", events, {});
  return job_id;
}

async function seqs(batches: AsyncIterable<EventLine[]>): Promise<number[]> {
  return (await Array.fromAsync(batches)).flat().map(({ seq }) => seq);
}

test("a page is exactly the events that it should hold, however many batches that takes", async () => {
  await using opened = await openLog();
  const { log, store } = opened;
  const job_id = await jobWith(store, 1_000);
  const read = (filter: Partial<Follow>) => seqs(log.follow(job_id, { ...EVERYTHING, ...filter }, never));
  assert.deepEqual(await read({ before: 901, limit: 450 }), range(451, 900));
  assert.deepEqual(await read({ before: 450, limit: 450 }), range(1, 449));
  assert.deepEqual(await read({ before: 900, limit: 400, after: 700 }), range(701, 899));
  assert.deepEqual(await read({ before: 601 }), range(1, 600));
  assert.deepEqual(await read({ after: 10, limit: 450 }), range(11, 460));
  assert.deepEqual(await read({ after: 900, limit: 450 }), range(901, 1_000));
  const even = range(1, 250).map((n) => 2 * n + 300);
  assert.deepEqual(await read({ before: 801, limit: 250, types: ["step.output"] }), even);
  assert.deepEqual(await read({ before: 1, limit: 5 }), []);
});

test("who follows some types of a job is given them as they come, and ends with the job", async () => {
  await using opened = await openLog();
  const { log, store } = opened;
  const { job_id } = await insert(store, { state: { phase: "working" } });
  const wanted = { after: null, types: ["message.said"] as const, follow: true };
  const reader = log.follow(job_id, wanted, never);
  const first = reader.next();
  await log.append(job_id, { change: {}, events: [{ type: "cancel.requested", data: {} }] });
  await log.append(job_id, { change: {}, events: [said("one")] });
  assert.deepEqual(
    (await first).value?.map(({ seq }: EventLine) => seq),
    [2],
  );
  const rest = seqs(reader);
  await log.appendFromRunner(
    job_id,
    "e",
    range(1, 300).map((n) => output(n, "x")),
    {},
  );
  await log.append(job_id, { change: {}, events: [said("two")] });
  const ended = { type: "job.ended", data: { status: "complete", reason: null, summary: "" } } as const;
  await log.append(job_id, { change: { phase: "ended" }, events: [ended] });
  assert.deepEqual(await rest, [303]);
});

test("output that nobody asked for wakes no reader of all jobs", async () => {
  await using opened = await openLog();
  const { log, store, counts } = opened;
  const [quiet, watched] = [await jobWith(store, 1), await jobWith(store, 1)];
  const stop = new AbortController();
  const filters: FollowAll[] = [
    { after: null, types: null, follow: true },
    { after: null, types: null, follow: true, output_of: [watched] },
    { after: null, types: ["step.output"], follow: true, output_of: [watched] },
    { after: null, types: ["message.said"], follow: true, output_of: [quiet] },
  ];
  const told: string[][] = [];
  const readers = filters.map(async (filter, index) => {
    const mine: string[] = [];
    told[index] = mine;
    for await (const batch of log.followAll(filter, stop.signal))
      for (const { json } of batch) {
        const { type, job_id } = JSON.parse(json);
        mine.push(`${type} ${job_id === watched ? "watched" : "quiet"}`);
      }
  });
  while (counts.reads < filters.length) await turn();
  for (const n of range(2, 51)) await log.appendFromRunner(quiet, "e", [output(n, "x")], {});
  assert.equal(counts.reads, filters.length, "nobody has read again");
  await log.appendFromRunner(watched, "e", [output(2, "x")], {});
  while (told[1]?.length !== 1 || told[2]?.length !== 1) await turn();
  await log.append(quiet, { change: {}, events: [said("last")] });
  while ([0, 1, 3].some((index) => told[index]?.at(-1) !== "message.said quiet")) await turn();
  stop.abort();
  await Promise.all(readers);
  assert.deepEqual(told, [
    ["message.said quiet"],
    ["step.output watched", "message.said quiet"],
    ["step.output watched"],
    ["message.said quiet"],
  ]);
});
