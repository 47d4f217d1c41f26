// In the small form of the schema library: the runner, which starts anew for every job, builds this one.
import * as z from "zod/mini";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const DAY_S = 24 * 3600;

const between = (min: number, max: number) => z.number().check(z.minimum(min), z.maximum(max));
const wholeBetween = (min: number, max: number) => z.int().check(z.minimum(min), z.maximum(max));

const shape = {
  cpus: z.number().check(z.positive(), z.maximum(1024)),
  memory_bytes: wholeBetween(128 * MiB, 16 * 1024 * GiB),
  disk_bytes: wholeBetween(16 * MiB, 64 * 1024 * GiB),
  pids: wholeBetween(32, 1_000_000),
  timeout_s: between(1, 30 * DAY_S),
  idle_timeout_s: between(1, 30 * DAY_S),
};

/** Sizes in bytes, times in seconds. The upper bounds only keep numbers sane; the machine's own are checked when a job is scheduled. */
export const Limits = z.strictObject({
  cpus: z._default(shape.cpus, 2),
  memory_bytes: z._default(shape.memory_bytes, 2 * GiB),
  disk_bytes: z._default(shape.disk_bytes, 10 * GiB),
  pids: z._default(shape.pids, 512),
  timeout_s: z._default(shape.timeout_s, 3600),
  idle_timeout_s: z._default(shape.idle_timeout_s, 1800),
});
export type Limits = z.infer<typeof Limits>;

/** What a caller gives of the limits; what is left out comes from the template. */
export const LimitsInput = z.partial(z.strictObject(shape));

/** A new limits object: the caller's over the template's. */
export function mergeLimits(template: Limits, given: z.infer<typeof LimitsInput>): Limits {
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...template, ...known };
}
