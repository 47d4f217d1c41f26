import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";
import { type Job, JobRequest } from "../contract/job.ts";
import { type InnerRunner, World } from "./world-fixture.ts";

const REQUEST = JobRequest.parse({ prompt: "```sh\ntrue\n```" });
const never = new AbortController().signal;
const WORKSPACE = { root: "workspace", path: "" } as const;

const schedule = (world: World, request = REQUEST): Promise<Job> =>
  world.orchestrator.schedule(request, { upload: null, idempotency: null }, never);

async function until(world: World, job_id: string, wanted: (event: Event) => boolean): Promise<Event> {
  const filter = { after: null, types: null, follow: true };
  for await (const event of world.orchestrator.events(job_id, filter, never)) if (wanted(event)) return event;
  throw new Error(`job ${job_id} ended without that event`);
}

async function ended(world: World, job_id: string): Promise<Job> {
  await until(world, job_id, ({ type }) => type === "job.ended");
  return world.orchestrator.job(job_id);
}

const said = ({ type }: Event) => type === "step.output";

test("a sweep that takes long leaves alone the sockets of a sandbox that was made meanwhile", async () => {
  await using world = await World.open(async (runner) => {
    await runner.end();
  });
  world.config = { ...world.config, start_timeout_s: 2 };
  const spec = { image: "i", link_folder: world.folder, limits: REQUEST.limits, runtime: null };
  await world.engine.create({ ...spec, id: "slonely", job_id: "x", volume: "v-lonely" } as never);
  const sweeping = Promise.withResolvers<void>();
  const placed = Promise.withResolvers<string>();
  const swept = Promise.withResolvers<void>();
  const { destroy, create } = world.engine;
  world.engine.destroy = async (id, options) => {
    if (id === "slonely") {
      sweeping.resolve();
      await placed.promise;
      setTimeout(swept.resolve, 200);
    }
    return destroy.call(world.engine, id, options);
  };
  world.engine.create = async (wanted) => {
    const { ino } = await stat(wanted.link_folder);
    placed.resolve(wanted.link_folder);
    await swept.promise;
    // A container holds the folder itself that was mounted, not whatever bears its name later.
    assert.equal((await stat(wanted.link_folder)).ino, ino);
    return create.call(world.engine, wanted);
  };
  await world.start();
  await sweeping.promise;
  const { job_id } = await schedule(world);
  assert.equal((await ended(world, job_id)).reason, null);
});

test("a job whose image cannot be asked for while the engine is away waits for the engine", async () => {
  await using world = await World.open((runner) => runner.end());
  let asked = 0;
  world.images = {
    ensure: async () => {
      asked += 1;
      if (asked > 1) return { reference: "image", digest: "sha256:0" };
      throw new AppError({ code: "engine_unreachable", message: "The engine is away." });
    },
  };
  await world.start();
  const { job_id } = await schedule(world);
  assert.equal((await ended(world, job_id)).reason, null);
});

test("a job that was done in time while the orchestrator was away longer than its clock limit is complete", async () => {
  const began = Promise.withResolvers<InnerRunner>();
  await using world = await World.open(async (runner) => {
    await runner.say("began");
    began.resolve(runner);
  });
  await world.start();
  const { job_id } = await schedule(world, { ...REQUEST, limits: { timeout_s: 1 } });
  await until(world, job_id, said);
  await world.stop();
  await (await began.promise).end();
  await sleep(1_100);
  await world.start();
  const job = await ended(world, job_id);
  assert.deepEqual([job.status, job.reason], ["complete", null]);
});

test("a job that is still at work when the orchestrator comes back after its clock limit is timed out", async () => {
  await using world = await World.open((runner) => runner.say("began"));
  await world.start();
  const { job_id } = await schedule(world, { ...REQUEST, limits: { timeout_s: 1 } });
  await until(world, job_id, said);
  await world.stop();
  await sleep(1_100);
  await world.start();
  assert.equal((await ended(world, job_id)).reason?.code, "timed_out");
});

test("who follows a job that retention removes meanwhile is not left waiting", async () => {
  await using world = await World.open(async (runner) => {
    for (let i = 0; i < 300; i++) await runner.say(`${i}\n`);
    await runner.end();
  });
  await world.start();
  const { job_id } = await schedule(world);
  await ended(world, job_id);
  const filter = { after: null, types: null, follow: true };
  const reading = world.orchestrator.events(job_id, filter, AbortSignal.timeout(5_000));
  const first = await reading.next();
  assert.equal(first.done, false);
  while (!(await world.store.removeJobSlice(job_id, 1000)));
  let count = 1;
  const begun = performance.now();
  for await (const _ of reading) count += 1;
  assert.equal(count, 200);
  assert.ok(performance.now() - begun < 4_000);
});

test("a link that is lost while the start is on its way is made anew, and the job goes on", async () => {
  await using world = await World.open(async (runner) => {
    await runner.say("began");
    await runner.end();
  });
  world.engine.hindrance = (runner) => void runner.cut();
  await world.start();
  const { job_id } = await schedule(world);
  assert.equal((await ended(world, job_id)).reason, null);
  assert.equal(world.engine.created.length, 1);
});

test("a sandbox that runs out of memory right at its start says so, and what it made is packed", async () => {
  await using world = await World.open(async (runner) => {
    runner.files.set("half.txt", "half");
  });
  world.engine.hindrance = (runner) => void world.engine.kill(runner.spec.id, "oom");
  await world.start();
  const { job_id } = await schedule(world);
  assert.equal((await ended(world, job_id)).reason?.code, "out_of_memory");
  const { entries } = await (await world.orchestrator.files(job_id)).list(WORKSPACE, never);
  assert.ok(entries.some(({ path }) => path === "half.txt"));
});

test("a job whose sandbox died in the absence right after its start ends as orchestrator_lost, with its work", async () => {
  await using world = await World.open(async (runner) => {
    runner.files.set("half.txt", "half");
  });
  const begun = Promise.withResolvers<InnerRunner>();
  world.engine.hindrance = (runner) => {
    void runner.cut();
    void world.stop().then(() => begun.resolve(runner));
  };
  await world.start();
  const { job_id } = await schedule(world);
  const runner = await begun.promise;
  await world.engine.kill(runner.spec.id);
  await world.start();
  assert.equal((await ended(world, job_id)).reason?.code, "orchestrator_lost");
  const { entries } = await (await world.orchestrator.files(job_id)).list(WORKSPACE, never);
  assert.ok(entries.some(({ path }) => path === "half.txt"));
});

test("a runner that loses its link again and again ends its own job, with a bounded number of events", async () => {
  await using world = await World.open(async (runner) => {
    await runner.say("began");
    while (!runner.stopped.signal.aborted) {
      await runner.cut();
      await sleep(15);
    }
  });
  await world.start();
  const { job_id } = await schedule(world);
  assert.equal((await ended(world, job_id)).reason?.code, "protocol_violated");
});

test("a sandbox that cannot be made leaves no volume behind", async () => {
  await using world = await World.open(async () => undefined);
  const removed = Promise.withResolvers<string>();
  world.engine.create = async ({ volume }) => {
    world.engine.volumes.set(volume, new Map());
    throw new AppError({ code: "setup_failed", message: "The engine has no such runtime." });
  };
  world.engine.destroyVolume = async (volume) => removed.resolve(volume);
  await world.start();
  const { job_id } = await schedule(world);
  assert.equal((await ended(world, job_id)).reason?.code, "sandbox_start_failed");
  assert.deepEqual([...world.engine.volumes.keys()], [await removed.promise]);
});
