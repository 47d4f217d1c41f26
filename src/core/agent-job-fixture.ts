import assert from "node:assert/strict";
import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";
import { type Job, JobRequest, type JobRequestInput } from "../contract/job.ts";
import { OutLink } from "../runner/link/out.ts";
import type { Outbound } from "./outbound.ts";
import { type InnerRunner, type Work, World } from "./world-fixture.ts";

/** Test support: jobs of an agent with a model, in a world with a provider. */
export const never = new AbortController().signal;
const ALL = { after: null, types: null, follow: true };
export const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

export async function worldOf(work: Work, config: Partial<World["config"]> = {}): Promise<World> {
  const world = await World.open(work);
  world.config = { ...world.config, ...config };
  world.providers = [
    { name: "google", protocol: "google", base_url: "http://localhost", has_key: true, default_model: "m" },
  ];
  await world.start();
  return world;
}

export function schedule(world: World, request: Partial<JobRequestInput> = {}): Promise<Job> {
  const whole = JobRequest.parse({ prompt: "Do something.", approval: { policy: "always" }, ...request });
  return world.orchestrator.schedule(whole, { upload: null, idempotency: null }, never);
}

export function eventsOf(world: World, job_id: string): AsyncGenerator<Event> {
  return world.orchestrator.events(job_id, ALL, never);
}

export async function until(world: World, job_id: string, wanted: (event: Event) => boolean): Promise<Event> {
  for await (const event of eventsOf(world, job_id)) if (wanted(event)) return event;
  throw new Error(`job ${job_id} ended without that event`);
}

export async function ended(world: World, job_id: string): Promise<{ job: Job; events: Event[] }> {
  const events = await Array.fromAsync(eventsOf(world, job_id));
  return { job: await world.orchestrator.job(job_id), events };
}

export const is =
  (type: Event["type"]) =>
  (event: Event): boolean =>
    event.type === type;

/** The sandbox that lives at the moment. */
export function current(world: World): InnerRunner {
  const living = [...world.engine.runners.values()].find(({ ended }) => ended === null);
  assert(living !== undefined, "a sandbox lives");
  return living;
}

/** Opens a stream for models, and says that it began. */
export const opening: Work = async (runner) => {
  await using out = new OutLink({ folder: runner.spec.link_folder });
  (await out.connect("models")).destroy();
  await runner.say("began");
};

/** A job at work whose sandbox has opened a stream for models, and what the gateway may ask of it. */
export async function reaching(world: World, request: Partial<JobRequestInput>) {
  const met = Promise.withResolvers<Outbound>();
  world.out.models = (connection, outbound) => {
    connection.resume().end();
    met.resolve(outbound);
  };
  const { job_id } = await schedule(world, request);
  await until(world, job_id, is("job.started"));
  return { job_id, outbound: await met.promise };
}
