import { z } from "zod";
import { Limits } from "./limits.ts";

/** A named image with limits. `build` is a folder with a Dockerfile (relative: to the installation), null for a ready image. */
export const TemplateConfig = z.strictObject({
  image: z.string().min(1).max(400),
  build: z.string().min(1).nullable().default(null),
  description: z.string().max(400).default(""),
  limits: z.prefault(Limits, {}),
});
export type TemplateConfig = z.infer<typeof TemplateConfig>;

export const BASE_TEMPLATE = {
  image: "sealwork/base",
  build: "images/base",
  description: "Debian with bash, Python 3, Node 26, git and a C compiler",
};

/** The one configuration file, `config.json`. Every field has a default, so an empty object is a whole configuration. */
export const Config = z.strictObject({
  $schema: z.string().optional(),
  templates: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/), TemplateConfig)
    .prefault({})
    .transform(
      (given): Record<string, TemplateConfig> => ({ base: TemplateConfig.parse(BASE_TEMPLATE), ...given }),
    ),
  default_template: z.string().default("base"),
  /** Jobs at work at the same time; null means as many as the machine has cores. */
  concurrency: z.int().min(1).max(1000).nullable().default(null),
  /** Jobs that wait for a place. */
  queue_max: z.int().min(1).max(1_000_000).default(10_000),
  retention: z
    .strictObject({
      /** Ended jobs older than this are removed; null keeps them for ever. */
      max_age_s: z
        .number()
        .min(1)
        .nullable()
        .default(30 * 24 * 3600),
      /** At most a week: timers of the platform end at 2^31 ms, and a longer one would strike at once. */
      interval_s: z
        .number()
        .min(1)
        .max(7 * 24 * 3600)
        .default(600),
    })
    .prefault({}),
  /** The engine's runtime, such as runc, runsc or kata; null is the engine's own default. A missing one is a refusal. */
  runtime: z.string().min(1).nullable().default(null),
  /** Requests a second from one client, over ten seconds. */
  requests_per_second: z.int().min(200).max(1_000_000).default(1000),
  /** How long a sandbox may take from create to link. */
  start_timeout_s: z.number().min(1).max(3600).default(60),
});
export type Config = z.infer<typeof Config>;

/** Environment variables that people have for their model providers. A local orchestrator is restarted when a later run adds one. */
export const PROVIDER_VARIABLES = [
  "GEMINI_API_KEY",
  "GOOGLE_GEMINI_BASE_URL",
  "OPENAI_API_KEY",
  "OPENAI_BASE_URL",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_BASE_URL",
] as const;
