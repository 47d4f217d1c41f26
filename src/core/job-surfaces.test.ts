import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import type { SurfaceHandlers } from "../runner/handlers.ts";
import { ended, hasCode, is, never, schedule, until, worldOf } from "./agent-job-fixture.ts";

const untilStopped = (runner: { stopped: AbortController }): Promise<unknown> =>
  runner.stopped.signal.aborted ? Promise.resolve() : once(runner.stopped.signal, "abort");

/** A job whose runner echoes every stream and counts how often it was told of people. */
async function working(limits: { idle_timeout_s?: number } = {}) {
  const told = { touches: 0 };
  const surfaces: Partial<SurfaceHandlers> = {
    connect: async () => (stream: Duplex) => void stream.pipe(stream),
    touch: () => {
      told.touches += 1;
    },
  };
  const world = await worldOf(async (runner) => void (await untilStopped(runner)));
  world.engine.surfaces = surfaces;
  const { job_id } = await schedule(world, { limits });
  await until(world, job_id, is("job.started"));
  return { world, job_id, told };
}

test("a stream into a sandbox lives as long as the job is at work, and says then that it has ended", async () => {
  const { world, job_id } = await working();
  await using _ = world;
  const surfaces = await world.orchestrator.surfaces(job_id);
  const stream = await surfaces.connect("port.80", never);
  stream.write("hello");
  assert.equal(String((await once(stream, "data"))[0]), "hello");
  const cut = once(stream, "error");
  await world.orchestrator.cancel(job_id);
  const [error] = await cut;
  assert.ok(hasCode("conflict")(error), String(error));
  assert.match(String(error), /has ended, and its sandbox with it/);
  await ended(world, job_id);
  await assert.rejects(surfaces.connect("port.80", never), hasCode("conflict"));
  await assert.rejects(world.orchestrator.surfaces(job_id), hasCode("conflict"));
});

test("a job that waits in the queue has nothing to use yet, and one that never was is not found", async () => {
  const { world } = await working();
  await using _ = world;
  await schedule(world);
  const { job_id } = await schedule(world);
  await assert.rejects(
    world.orchestrator.surfaces(job_id),
    (error) => hasCode("conflict")(error) && /queued/.test(String(error)),
  );
  const none = "0190a6c0-0000-7000-8000-000000000001";
  await assert.rejects(world.orchestrator.surfaces(none), hasCode("not_found"));
});

test("people at work count as activity: the idle clock does not strike while they touch the job, and does when they stop", async () => {
  const { world, job_id, told } = await working({ idle_timeout_s: 1 });
  await using _ = world;
  const surfaces = await world.orchestrator.surfaces(job_id);
  const began = Date.now();
  // Longer than the idle clock allows; what is waited for is the time itself.
  while (Date.now() - began < 1_500) {
    surfaces.touch();
    await new Promise(setImmediate);
  }
  assert.equal((await world.orchestrator.job(job_id)).status, "running");
  const { job } = await ended(world, job_id);
  assert.equal(job.reason?.code, "idle_timed_out");
  assert.equal(told.touches, 1, "the runner is told of people once in a while, not at each key");
});

test("a lost link is a reason to come back, not an end", async () => {
  const { world, job_id } = await working();
  await using _ = world;
  const surfaces = await world.orchestrator.surfaces(job_id);
  const stream = await surfaces.connect("desktop", never);
  const cut = once(stream, "error");
  const relinked = until(world, job_id, (event) => event.type === "sandbox.linked" && event.data.relinked);
  const [runner] = world.engine.runners.values();
  await runner?.cut();
  assert.ok(hasCode("link_lost")((await cut)[0]));
  await relinked;
  (await surfaces.connect("desktop", never)).destroy();
  await world.orchestrator.cancel(job_id);
  await ended(world, job_id);
});

test("who fetches a file is at work in the job", async () => {
  const { world, job_id, told } = await working();
  await using _ = world;
  const files = await world.orchestrator.files(job_id);
  const { content } = await files.read({ root: "workspace", path: "a" }, null, never);
  assert.deepEqual(await content.toArray(), []);
  await files.list({ root: "workspace", path: "" }, never);
  await world.orchestrator.cancel(job_id);
  await ended(world, job_id);
  assert.equal(told.touches, 1);
});
