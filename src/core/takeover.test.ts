import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { Start } from "../contract/link.ts";
import { current, ended, eventsOf, is, never, schedule, until, worldOf } from "./agent-job-fixture.ts";

test("when its sandbox dies an agent goes on once in a fresh one on the same volume; a second death ends the job", async () => {
  const starts: Start[] = [];
  await using world = await worldOf(async (runner, start) => {
    starts.push(start);
    runner.files.set(`started-${starts.length}.txt`, "x");
    await runner.say("began");
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  await world.engine.kill(current(world).spec.id);
  await until(world, job_id, is("sandbox.replaced"));
  for (let seen = 0; seen < 2; )
    for await (const event of eventsOf(world, job_id))
      if (event.type === "step.output" && ++seen === 2) break;
  assert.deepEqual(
    starts.map(({ resume }) => resume),
    [false, true],
  );
  assert.notEqual(starts[0]?.secret, starts[1]?.secret);
  await world.engine.kill(current(world).spec.id);
  const { job, events } = await ended(world, job_id);
  assert.deepEqual([job.status, job.reason?.code], ["error", "sandbox_died"]);
  assert.equal(events.filter(is("sandbox.replaced")).length, 2, "one that goes on, one that packs");
  const files = await (await world.orchestrator.files(job_id)).list({ root: "workspace", path: "" }, never);
  assert.deepEqual(
    files.entries.map(({ path }) => path).filter((path) => path.startsWith("started")),
    ["started-1.txt", "started-2.txt"],
  );
});

test("a sandbox that died while no orchestrator was there is taken over too", async () => {
  const starts: Start[] = [];
  await using world = await worldOf(async (runner, start) => {
    starts.push(start);
    await runner.say("began");
    if (start.resume) await runner.end();
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  const { id } = current(world).spec;
  await world.stop();
  await world.engine.kill(id);
  await world.start();
  const { job } = await ended(world, job_id);
  assert.deepEqual([job.status, starts.map(({ resume }) => resume)], ["complete", [false, true]]);
});

test("a script whose sandbox dies is not started over", async () => {
  await using world = await worldOf(async (runner) => runner.say("began"));
  const { job_id } = await schedule(world, { agent: "script", prompt: "```sh\ntrue\n```" });
  await until(world, job_id, is("step.output"));
  await world.engine.kill(current(world).spec.id);
  const { job } = await ended(world, job_id);
  assert.equal(job.reason?.code, "sandbox_died");
});

test("an orchestrator that goes away in the middle of a takeover goes on with it when it comes back", async () => {
  const began = Promise.withResolvers<void>();
  const resumed: boolean[] = [];
  await using world = await worldOf(async (runner, start) => {
    resumed.push(start.resume);
    if (!start.resume) await runner.say("began");
    else await runner.end();
  });
  const create = world.engine.create.bind(world.engine);
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  world.engine.create = async (_spec, signal = never) => {
    began.resolve();
    await once(signal, "abort");
    throw signal.reason;
  };
  await world.engine.kill(current(world).spec.id);
  await began.promise;
  await world.stop();
  world.engine.create = create;
  await world.start();
  await until(world, job_id, is("job.ended"));
  const job = await world.orchestrator.job(job_id);
  assert.deepEqual([job.status, job.reason?.code ?? null, resumed], ["complete", null, [false, true]]);
});

test("an orchestrator that goes away while the job is given to the sandbox that takes over goes on with it", async () => {
  const given = Promise.withResolvers<void>();
  const resumed: boolean[] = [];
  await using world = await worldOf(async (runner, start) => {
    resumed.push(start.resume);
    if (!start.resume) await runner.say("began");
    else await runner.end();
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  const create = world.engine.create.bind(world.engine);
  world.engine.create = async (spec, signal = never) => {
    await create(spec);
    given.resolve();
    await once(signal, "abort");
    throw signal.reason;
  };
  await world.engine.kill(current(world).spec.id);
  await given.promise;
  await world.stop();
  world.engine.create = create;
  await world.start();
  await until(world, job_id, is("job.ended"));
  const job = await world.orchestrator.job(job_id);
  assert.deepEqual([job.status, job.reason?.code ?? null, resumed], ["complete", null, [false, true]]);
});
