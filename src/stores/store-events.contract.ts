import assert from "node:assert/strict";
import { it } from "node:test";
import type { EventBody } from "../contract/event.ts";
import { NO_USAGE } from "../contract/job.ts";
import type { Store } from "../core/store.ts";
import {
  ALL,
  AT,
  insert,
  newJob,
  output,
  range,
  readAllEvents,
  runnerSaid,
  said,
  seqs,
} from "./store-fixtures.ts";

export function testEvents(open: () => Promise<Store>): void {
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
    const cursors = (await readAllEvents(store, ALL)).map((event) => event.cursor);
    assert.equal(new Set(cursors).size, 100);
    assert.deepEqual(
      cursors,
      cursors.toSorted((a, b) => a - b),
    );
  });

  it("gives the newest event of a type of one job, and null where there is none", async () => {
    await using store = await open();
    const [one, two] = [await insert(store), await insert(store)];
    assert.equal(await store.lastEvent(one.job_id, "message.said"), null);
    await store.append(one.job_id, AT, {}, [said("first"), said("last"), output(1, "later")]);
    await store.append(two.job_id, AT, {}, [said("of another job")]);
    assert.equal((await store.lastEvent(one.job_id, "message.said"))?.data.text, "last");
    assert.equal((await store.lastEvent(one.job_id, "step.output"))?.type, "step.output");
    assert.equal(await store.lastEvent("no-such-job", "message.said"), null);
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
    const rest = await readAllEvents(store, { after: first.cursor, limit: 10 });
    assert.deepEqual(rest, await store.readEvents(two.job_id, ALL));
    assert.deepEqual(await readAllEvents(store, { ...ALL, without: ["step.output"] }), [first, last]);
    assert.deepEqual(await readAllEvents(store, { ...ALL, types: ["step.output"] }), rest.slice(0, 1));
    assert.deepEqual(await readAllEvents(store, { ...ALL, limit: 1 }), [first]);
  });

  it("reads up to a number, and knows where the page before a number begins", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    await store.append(job_id, AT, {}, [said("a"), { type: "cancel.requested", data: {} }, said("b")]);
    await store.appendFromRunner(job_id, AT, "e", [output(1, "x"), output(2, "y")], {});
    const read = async (filter: object) => seqs(await store.readEvents(job_id, { ...ALL, ...filter }));
    assert.deepEqual(await read({ before: 4 }), [1, 2, 3]);
    assert.deepEqual(await read({ after: 1, before: 5, limit: 2 }), [2, 3]);
    assert.deepEqual(await read({ before: 5, types: ["step.output"] }), [4]);
    assert.deepEqual(await read({ after: 3, before: 4 }), []);
    const start = (page: object) => store.pageStart(job_id, { before: 6, limit: 2, ...page });
    assert.equal(await start({}), 4);
    assert.equal(await start({ before: 3 }), 1);
    assert.equal(await start({ before: 2 }), null);
    assert.equal(await start({ limit: 5 }), 1);
    assert.equal(await start({ limit: 6 }), null);
    assert.equal(await start({ types: ["message.said"] }), 1);
    assert.equal(await start({ types: ["step.output"], limit: 1 }), 5);
    assert.equal(await start({ without: ["step.output"] }), 2);
    assert.equal(await start({ types: ["step.output", "message.said"], limit: 3 }), 3);
    assert.equal(await start({ types: ["step.output", "message.said"], limit: 5 }), null);
    assert.equal(await store.pageStart("no-such-job", { before: 6, limit: 1 }), null);
  });

  it("gives output of those jobs only that are named, among all else of all jobs, by cursor", async () => {
    await using store = await open();
    const [one, two, three] = [await insert(store), await insert(store), await insert(store)];
    for (const { job_id } of [one, two, three, one]) {
      const n = (await store.readEvents(job_id, ALL)).length;
      await store.appendFromRunner(job_id, AT, "e", [output(n + 1, "x"), runnerSaid(n + 2)], {});
    }
    const read = async (filter: object) =>
      (await readAllEvents(store, { ...ALL, ...filter })).map((event) => event.cursor);
    const ids = (...jobs: { job_id: string }[]) => jobs.map(({ job_id }) => job_id);
    assert.deepEqual(await read({ output_of: ids(one) }), [1, 2, 4, 6, 7, 8]);
    assert.deepEqual(await read({ output_of: ids(three, one, three) }), [1, 2, 4, 5, 6, 7, 8]);
    assert.deepEqual(await read({ output_of: ids(one), after: 2, limit: 3 }), [4, 6, 7]);
    assert.deepEqual(await read({ output_of: [] }), [2, 4, 6, 8]);
    assert.deepEqual(await read({ output_of: ["no-such-job"] }), [2, 4, 6, 8]);
    assert.deepEqual(await read({ output_of: ids(two), types: ["step.output"] }), [3]);
    assert.deepEqual(await read({ output_of: ids(two), types: ["step.output", "cancel.requested"] }), [3]);
    assert.deepEqual(await read({ output_of: ids(two), types: ["message.said"] }), [2, 4, 6, 8]);
    assert.deepEqual(await read({ output_of: ids(two), without: ["message.said"] }), [3]);
    assert.deepEqual(await read({ output_of: [], types: ["step.output"] }), []);
  });

  it("gives events as the text that they are as JSON, to the letter", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    await store.append(job_id, AT, {}, [said(`ž 🐴 \u0000\r\n'"\\ \ud83d \u2028`), said("__proto__")]);
    const events = await store.readEvents(job_id, ALL);
    const lines = await store.readEventLines(job_id, ALL);
    assert.deepEqual(
      lines,
      events.map((event) => {
        const { seq, cursor, type } = event;
        return { seq, cursor, type, json: JSON.stringify(event) };
      }),
    );
    assert.deepEqual(await store.readAllEventLines(ALL), lines);
    assert.deepEqual(await store.readEventLines(job_id, { ...ALL, before: 2 }), lines.slice(0, 1));
  });

  it("says the phase of a job alone", async () => {
    await using store = await open();
    const { job_id } = await insert(store);
    assert.equal(await store.phase(job_id), "queued");
    await store.append(job_id, AT, { phase: "working" }, []);
    assert.equal(await store.phase(job_id), "working");
    assert.equal(await store.phase("no-such-job"), null);
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

export function testRunnerEvents(open: () => Promise<Store>): void {
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
