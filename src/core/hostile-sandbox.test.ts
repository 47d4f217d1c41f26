import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";
import { type Job, JobRequest, type JobRequestInput } from "../contract/job.ts";
import { OutLink } from "../runner/link/out.ts";
import type { Outbound } from "./outbound.ts";
import { type Work, World } from "./world-fixture.ts";

const never = new AbortController().signal;
const ALL = { after: null, types: null, follow: true };
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

async function worldOf(work: Work, config: Partial<World["config"]> = {}): Promise<World> {
  const world = await World.open(work);
  world.config = { ...world.config, ...config };
  world.providers = [
    { name: "google", protocol: "google", base_url: "http://localhost", has_key: true, default_model: "m" },
  ];
  await world.start();
  return world;
}

function schedule(world: World, request: Partial<JobRequestInput> = {}): Promise<Job> {
  const whole = JobRequest.parse({ prompt: "Do something.", ...request });
  return world.orchestrator.schedule(whole, { upload: null, idempotency: null }, never);
}

async function until(world: World, job_id: string, type: Event["type"]): Promise<Event> {
  for await (const event of world.orchestrator.events(job_id, ALL, never))
    if (event.type === type) return event;
  throw new Error(`job ${job_id} ended without ${type}`);
}

const opening: Work = async (runner) => {
  await using out = new OutLink({ folder: runner.spec.link_folder });
  (await out.connect("models")).destroy();
  await runner.say("began");
};

/** A job at work whose sandbox has opened a stream for models, and what the gateway may ask of it. */
async function reaching(world: World, request: Partial<JobRequestInput>) {
  const met = Promise.withResolvers<Outbound>();
  world.out.models = (connection, outbound) => {
    connection.resume().end();
    met.resolve(outbound);
  };
  const { job_id } = await schedule(world, request);
  await until(world, job_id, "job.started");
  return { job_id, outbound: await met.promise };
}

test("a question that comes while the start of its job is still being answered is asked all the same", async () => {
  const asked = Promise.withResolvers<string>();
  await using world = await worldOf(async (runner) => {
    await runner.say(await asked.promise);
    await runner.end();
  });
  world.out.models = (connection) => connection.resume().end();
  world.engine.hindrance = async (runner) => {
    const out = new OutLink({ folder: runner.spec.link_folder });
    runner.stopped.signal.addEventListener("abort", () => void out[Symbol.asyncDispose]());
    const question = { key: "1", kind: "step" as const, title: "Run it?", detail: "" };
    out.ask(question, never).then(asked.resolve, asked.reject);
    // What is opened behind it on the same connection arrives after it.
    for (let i = 0; i < 3; i += 1) (await out.connect("models")).destroy();
  };
  const { job_id } = await schedule(world, { approval: { policy: "always" } });
  await until(world, job_id, "approval.asked");
  await world.orchestrator.decide(job_id, 1, "allow");
  const output = await until(world, job_id, "step.output");
  assert.ok(output.type === "step.output" && output.data.data === "allow");
});

test("with a budget in dollars a model whose price is not known is not called, and the job goes on", async () => {
  const price = { input_usd_per_million: 1, output_usd_per_million: 1, cached_usd_per_million: 1 };
  await using world = await worldOf(opening, {
    models: { m: { context_tokens: 1000, max_output_tokens: 100, ...price } },
  });
  const { job_id, outbound } = await reaching(world, { budget: { max_cost_usd: 1 } });
  const wanted = { provider: "google", input_tokens: 1, output_tokens: 1 };
  await assert.rejects(
    outbound.reserve({ ...wanted, model: "dear" }, never),
    (error) => hasCode("model_route_denied")(error) && /price of google\/dear/.test(String(error)),
  );
  await outbound.reserve({ ...wanted, model: "m" }, never);
  assert.equal((await world.orchestrator.job(job_id)).phase, "working");
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
  await until(world, job_id, "step.output");
  world.engine.create = async (_spec, signal = never) => {
    began.resolve();
    await once(signal, "abort");
    throw signal.reason;
  };
  const [runner] = world.engine.runners.values();
  assert(runner !== undefined);
  await world.engine.kill(runner.spec.id);
  await began.promise;
  await world.stop();
  world.engine.create = create;
  await world.start();
  await until(world, job_id, "job.ended");
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
  await until(world, job_id, "step.output");
  const create = world.engine.create.bind(world.engine);
  world.engine.create = async (spec, signal = never) => {
    await create(spec);
    given.resolve();
    await once(signal, "abort");
    throw signal.reason;
  };
  const [runner] = world.engine.runners.values();
  assert(runner !== undefined);
  await world.engine.kill(runner.spec.id);
  await given.promise;
  await world.stop();
  world.engine.create = create;
  await world.start();
  await until(world, job_id, "job.ended");
  const job = await world.orchestrator.job(job_id);
  assert.deepEqual([job.status, job.reason?.code ?? null, resumed], ["complete", null, [false, true]]);
});
