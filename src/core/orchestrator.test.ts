import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../contract/event.ts";
import { JobRequest } from "../contract/job.ts";
import { type InnerRunner, type Work, World } from "./world-fixture.ts";

const REQUEST = JobRequest.parse({ prompt: "```sh\ntrue\n```" });
const never = new AbortController().signal;
const WORKSPACE = { root: "workspace", path: "" } as const;
const ALL = { after: null, types: null, follow: true };
const schedule = (world: World, request = REQUEST) =>
  world.orchestrator.schedule(request, { upload: null, idempotency: null }, never);

async function eventsOf(world: World, job_id: string): Promise<Event[]> {
  return Array.fromAsync(world.orchestrator.events(job_id, ALL, never));
}
async function endedJob(world: World, job_id: string) {
  await eventsOf(world, job_id);
  return world.orchestrator.job(job_id);
}
const gapless = (events: Event[]) =>
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );

/** Waits until the job's own words have arrived: from then on it is working, whatever the test does next. */
async function untilSaid(world: World, job_id: string): Promise<void> {
  for await (const event of world.orchestrator.events(job_id, ALL, never))
    if (event.type === "step.output") return;
}

/** A job's sandbox goes after the job's end is told, so this waits for it. */
async function nothingLeft(world: World): Promise<void> {
  const left = () => [world.engine.runners.size, world.engine.volumes.size];
  for (let i = 0; i < 200 && left().some((count) => count > 0); i++)
    await new Promise((next) => setTimeout(next, 10));
  assert.deepEqual(left(), [0, 0]);
}

/** Works until it is stopped, having said that it began. */
function untilStopped(began: (runner: InnerRunner) => void): Work {
  return async (runner) => {
    runner.files.set("half.txt", "half done");
    await runner.say("began");
    began(runner);
  };
}

test("a job goes from schedule to a ZIP, and tells each phase once in a gapless log", async () => {
  await using world = await World.open(async (runner) => {
    runner.files.set("report.txt", "done");
    await runner.say("hello");
    await runner.end();
  });
  await world.start();
  const { job_id, status } = await schedule(world);
  assert.equal(status, "pending");
  const events = await eventsOf(world, job_id);
  gapless(events);
  assert.deepEqual(
    events.map(({ type, data }) => (type === "phase.changed" ? data.phase : type)),
    [
      "job.scheduled",
      "queued",
      "starting",
      "sandbox.started",
      "sandbox.linked",
      "job.started",
      "working",
      "step.output",
      "agent.ended",
      "packing",
      "artifact.packed",
      "ended",
      "job.ended",
    ],
  );
  const job = await world.orchestrator.job(job_id);
  assert.deepEqual([job.status, job.reason, job.result?.summary], ["complete", null, "Said."]);
  const list = await (await world.orchestrator.files(job_id)).list(WORKSPACE, never);
  assert.ok(list.entries.some(({ path }) => path === "report.txt"));
  assert.equal(job.usage.output_bytes, 5);
  await nothingLeft(world);
});

test("an agent that fails makes the job an error with its reason, and the work is packed", async () => {
  await using world = await World.open(async (runner) => {
    runner.files.set("half.txt", "half");
    await runner.end("failed");
  });
  await world.start();
  const { job_id } = await schedule(world);
  const job = await endedJob(world, job_id);
  assert.deepEqual([job.status, job.reason?.code], ["error", "step_failed"]);
  assert.equal(
    (await (await world.orchestrator.files(job_id)).list(WORKSPACE, never)).entries.some(
      ({ path }) => path === "half.txt",
    ),
    true,
  );
});

test("cancel ends a working job, keeps its work, and is idempotent", async () => {
  const began = Promise.withResolvers<InnerRunner>();
  await using world = await World.open(untilStopped(began.resolve));
  await world.start();
  const { job_id } = await schedule(world);
  await untilSaid(world, job_id);
  assert.equal((await world.orchestrator.cancel(job_id)).cancelled, true);
  assert.equal((await world.orchestrator.cancel(job_id)).cancelled, true);
  const job = await endedJob(world, job_id);
  assert.deepEqual([job.status, job.reason?.code], ["cancelled", "cancelled_by_user"]);
  assert.deepEqual(await world.orchestrator.cancel(job_id), { job_id, status: "cancelled", cancelled: true });
  assert.ok(
    (await (await world.orchestrator.files(job_id)).list(WORKSPACE, never)).entries.some(
      ({ path }) => path === "half.txt",
    ),
  );
});

test("a job that waits can be cancelled without ever having a sandbox, and what waits behind it goes on", async () => {
  const began = Promise.withResolvers<InnerRunner>();
  await using world = await World.open(untilStopped(began.resolve));
  world.concurrency = 1;
  await world.start();
  const first = await schedule(world);
  await began.promise;
  const second = await schedule(world);
  const third = await schedule(world);
  await world.orchestrator.cancel(second.job_id);
  assert.equal((await endedJob(world, second.job_id)).status, "cancelled");
  assert.equal(world.engine.created.length, 1);
  await world.orchestrator.cancel(first.job_id);
  await endedJob(world, first.job_id);
  for await (const event of world.orchestrator.events(third.job_id, ALL, never))
    if (event.type === "step.output") break;
  await world.orchestrator.cancel(third.job_id);
  assert.equal((await endedJob(world, third.job_id)).status, "cancelled");
});

for (const [reason, code] of [
  ["exited", "sandbox_died"],
  ["oom", "out_of_memory"],
] as const)
  test(`a sandbox that dies (${reason}) is packed by a fresh one on its volume, and the job ends as ${code}`, async () => {
    const began = Promise.withResolvers<InnerRunner>();
    await using world = await World.open(untilStopped(began.resolve));
    await world.start();
    const { job_id } = await schedule(world);
    const runner = await began.promise;
    await untilSaid(world, job_id);
    await untilSaid(world, job_id);
    await world.engine.kill(runner.spec.id, reason);
    const events = await eventsOf(world, job_id);
    gapless(events);
    assert.ok(events.some(({ type }) => type === "sandbox.replaced"));
    const job = await world.orchestrator.job(job_id);
    assert.deepEqual([job.status, job.reason?.code], ["error", code]);
    assert.ok(
      (await (await world.orchestrator.files(job_id)).list(WORKSPACE, never)).entries.some(
        ({ path }) => path === "half.txt",
      ),
    );
    const [first, second] = world.engine.created;
    assert.equal(first?.volume, second?.volume);
    assert.notEqual(first?.id, second?.id);
    await nothingLeft(world);
  });

test("a stop of the orchestrator leaves the sandbox at work; the next one takes every event up once, in order", async () => {
  const began = Promise.withResolvers<InnerRunner>();
  const goOn = Promise.withResolvers<void>();
  await using world = await World.open(async (runner) => {
    await runner.say("0\n");
    began.resolve(runner);
    await goOn.promise;
    for (let i = 1; i < 500; i++) await runner.say(`${i}\n`);
    runner.files.set("all.txt", "all");
    await runner.end();
  });
  await world.start();
  const { job_id } = await schedule(world);
  await began.promise;
  for await (const event of world.orchestrator.events(job_id, ALL, never))
    if (event.type === "step.output") break;
  await world.stop();
  goOn.resolve();
  await world.start();
  const events = await eventsOf(world, job_id);
  gapless(events);
  const said = events.flatMap((event) => (event.type === "step.output" ? [event.data.data] : []));
  assert.deepEqual(
    said,
    Array.from({ length: 500 }, (_, i) => `${i}\n`),
  );
  assert.equal((await world.orchestrator.job(job_id)).status, "complete");
  assert.equal(world.engine.created.length, 1);
});

test("a job whose sandbox was gone when the orchestrator came back ends as orchestrator_lost, with its work", async () => {
  const began = Promise.withResolvers<InnerRunner>();
  await using world = await World.open(untilStopped(began.resolve));
  await world.start();
  const { job_id } = await schedule(world);
  const runner = await began.promise;
  await untilSaid(world, job_id);
  await world.stop();
  await world.engine.kill(runner.spec.id);
  await world.start();
  const job = await endedJob(world, job_id);
  assert.equal(job.reason?.code, "orchestrator_lost");
  assert.ok(
    (await (await world.orchestrator.files(job_id)).list(WORKSPACE, never)).entries.some(
      ({ path }) => path === "half.txt",
    ),
  );
});

test("what was only queued runs after a restart", async () => {
  const began = Promise.withResolvers<InnerRunner>();
  await using world = await World.open(async (runner) => {
    began.resolve(runner);
    await runner.end();
  });
  world.concurrency = 1;
  world.engine.away = false;
  await world.start();
  const first = await schedule(world);
  await began.promise;
  const second = await schedule(world);
  await world.stop();
  await world.start();
  assert.equal((await endedJob(world, first.job_id)).status, "complete");
  assert.equal((await endedJob(world, second.job_id)).status, "complete");
});

test("the wall clock and the idle clock end a job, each with its own reason", async () => {
  for (const [limits, code] of [
    [{ timeout_s: 1 }, "timed_out"],
    [{ idle_timeout_s: 1 }, "idle_timed_out"],
  ] as const) {
    await using world = await World.open(untilStopped(() => undefined));
    await world.start();
    const { job_id } = await schedule(world, { ...REQUEST, limits });
    const job = await endedJob(world, job_id);
    assert.deepEqual([job.status, job.reason?.code], ["error", code]);
  }
});

test("a sandbox that never links ends its job as sandbox_start_failed, and nothing is left", async () => {
  await using world = await World.open(async () => undefined);
  world.config = { ...world.config, start_timeout_s: 1 };
  await world.start();
  const create = world.engine.create.bind(world.engine);
  world.engine.create = async (spec) => create({ ...spec, link_folder: `${spec.link_folder}-elsewhere` });
  const { job_id } = await schedule(world);
  const job = await endedJob(world, job_id);
  assert.deepEqual([job.status, job.reason?.code], ["error", "sandbox_start_failed"]);
  await nothingLeft(world);
});

test("sandboxes and volumes of this installation that belong to nothing are removed at start", async () => {
  await using world = await World.open(async () => undefined);
  const lonely = { id: "slonely", job_id: "x", volume: "v-lonely", image: "i", link_folder: world.folder };
  await world.engine.create({ ...lonely, limits: REQUEST.limits, runtime: null } as never);
  await world.start();
  for (let i = 0; i < 200 && world.engine.runners.size > 0; i++)
    await new Promise((next) => setTimeout(next, 10));
  await nothingLeft(world);
});

test("retention removes a job and all it left, and says afterwards that it was there", async () => {
  await using world = await World.open((runner) => runner.end());
  await world.start();
  const { job_id } = await schedule(world);
  await endedJob(world, job_id);
  await world.stop();
  world.config = { ...world.config, retention: { max_age_s: 0, interval_s: 3600 } };
  await world.start();
  for (let i = 0; i < 200; i++) {
    const gone = await world.orchestrator.job(job_id).then(
      () => null,
      (error: { code: string }) => error.code,
    );
    if (gone !== null) {
      assert.equal(gone, "expired");
      return;
    }
    await new Promise((next) => setTimeout(next, 10));
  }
  assert.fail("the job was not removed");
});
