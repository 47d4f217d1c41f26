import { z } from "zod";
import { AgentCli, BUILT_IN_AGENTS } from "./agent-cli.ts";
import { Egress } from "./job.ts";
import { Limits } from "./limits.ts";
import { PROTOCOLS } from "./models.ts";

/** A named image with limits. `build` is a folder with a Dockerfile (relative: to the installation), null for a ready image. */
export const TemplateConfig = z.strictObject({
  image: z.string().min(1).max(400),
  build: z.string().min(1).nullable().default(null),
  description: z.string().max(400).default(""),
  limits: z.prefault(Limits, {}),
  /** What jobs of this template may reach when they do not say it themselves. */
  egress: Egress.prefault({}),
  /** Whether what terminals show is recorded into the job's ZIP. What people type is not, but as far as a terminal echoes it. */
  record_terminals: z.boolean().default(false),
});
export type TemplateConfig = z.infer<typeof TemplateConfig>;

export const BASE_TEMPLATE = {
  image: "sealwork/base",
  build: "images/base",
  description: "Debian with bash, Python 3, Node 26, git and a C compiler",
};

const AGENTS_TEMPLATE = {
  image: "sealwork/agents",
  build: "images/agents",
  description: "The base image with agent CLIs",
};

const DESKTOP_TEMPLATE = {
  image: "sealwork/desktop",
  build: "images/desktop",
  description: "The base image with a desktop, Chromium and Jupyter Lab",
};

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);

/** Names that previews must not be below: pages there would share a site with what has authority. */
const NEVER_BELOW = /(^|\.)(sealwork\.localhost|\d+\.\d+\.\d+\.\d+)$/;
const isLocalName = (host: string): boolean => host === "localhost" || host.endsWith(".localhost");

/** Where browsers find what jobs serve: `p5173-….HOST`. */
const PreviewsConfig = z
  .strictObject({
    /** A name of its own, all names below which lead to this server. Never the server's own name, nor one below it. */
    host: z
      .string()
      .max(150)
      .regex(/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/)
      .refine((host) => !NEVER_BELOW.test(host), "Previews cannot be below a name of the server itself.")
      .default("localhost"),
    /** As browsers see it. Other names than localhost need https, which a proxy in front of this server speaks. */
    scheme: z.enum(["http", "https"]).default("http"),
    /** As browsers see it; null: the port by which the server was called, with https the usual one. */
    port: z.int().min(1).max(65_535).nullable().default(null),
    /** Origins, such as https://sealwork.example.org, whose pages may show previews in frames. */
    framed_by: z
      .array(z.string().regex(/^https?:\/\/[a-z0-9.-]{1,253}(:\d{1,5})?$/))
      .max(20)
      .default([]),
  })
  .refine(
    ({ host, scheme }) => scheme === "https" || isLocalName(host),
    "Browsers take the cookie of a preview over https only, unless its name is below localhost.",
  );

/** Where browsers of other machines find the dashboard. On this machine it is at http://sealwork.localhost without being named. */
const DashboardConfig = z.strictObject({
  /** As https://sealwork.example.org: a proxy that speaks https leads there, and passes `Host` on as it came. */
  origins: z
    .array(z.string().regex(/^https:\/\/[a-z0-9.-]{1,253}(:\d{1,5})?$/))
    .max(20)
    .default([]),
});

/** A provider of models. Its key stands here or, better, in the environment variable that `api_key_env` names; Ollama and the like need none. */
export const ProviderConfig = z.strictObject({
  protocol: z.enum(PROTOCOLS),
  /** Null: the protocol's own provider. With `openai` it ends where `/chat/completions` follows, which is mostly `/v1`. */
  base_url: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  api_key: z.string().min(1).nullable().default(null),
  api_key_env: z.string().min(1).nullable().default(null),
  default_model: z.string().min(1).nullable().default(null),
});
export type ProviderConfig = z.infer<typeof ProviderConfig>;

/** What is known of a model. Prices are in US dollars for a million tokens; null means that they are not known. */
export const ModelConfig = z.strictObject({
  context_tokens: z.int().min(1_000),
  max_output_tokens: z.int().min(100),
  input_usd_per_million: z.number().min(0).nullable(),
  output_usd_per_million: z.number().min(0).nullable(),
  /** Of input that came from the provider's cache; null: as other input. */
  cached_usd_per_million: z.number().min(0).nullable(),
});
export type ModelConfig = z.infer<typeof ModelConfig>;

const Fields = z.strictObject({
  $schema: z.string().optional(),
  templates: z
    .record(name, TemplateConfig)
    .prefault({})
    .transform(
      (given): Record<string, TemplateConfig> => ({
        base: TemplateConfig.parse(BASE_TEMPLATE),
        agents: TemplateConfig.parse(AGENTS_TEMPLATE),
        desktop: TemplateConfig.parse(DESKTOP_TEMPLATE),
        ...given,
      }),
    ),
  default_template: z.string().default("base"),
  /** By name; beside them those that environment variables configure: google, openai, anthropic. */
  providers: z.record(name, ProviderConfig).default({}),
  /** By `provider/model` or by `model` alone; completes and overrides the built-in table, field by field. */
  models: z.record(z.string().min(1).max(200), ModelConfig.partial()).default({}),
  /** `provider/model`, or the name of a model of the first provider that there is. */
  default_model: z.string().min(1).max(200).nullable().default(null),
  /** Agent CLIs by the name that a job asks for; completes and overrides the built-in table. */
  agents: z
    .record(name, AgentCli)
    .prefault({})
    .transform(
      (given): Record<string, AgentCli> => ({
        ...Object.fromEntries(
          Object.entries(BUILT_IN_AGENTS).map(([known, cli]) => [known, AgentCli.parse(cli)]),
        ),
        ...given,
      }),
    ),
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
  /** Bounds of what each job moves through the egress proxy. */
  egress: z
    .strictObject({
      /** Connections at the same time. */
      max_connections: z.int().min(1).max(1000).default(128),
      /** Bytes in both directions; null means that nobody counts. */
      max_bytes: z.int().min(1).nullable().default(null),
      /** A connection on which nothing moves for this long is closed. */
      idle_timeout_s: z
        .number()
        .min(1)
        .max(24 * 3600)
        .default(600),
    })
    .prefault({}),
  previews: PreviewsConfig.prefault({}),
  dashboard: DashboardConfig.prefault({}),
  /** How long a sandbox may take from create to link. */
  start_timeout_s: z.number().min(1).max(3600).default(60),
});

/** The one configuration file, `config.json`. Every field has a default, so an empty object is a whole configuration. */
export const Config = Fields.refine(
  ({ previews, dashboard }) => dashboard.origins.every((origin) => isApart(previews.host, origin)),
  {
    path: ["dashboard", "origins"],
    error: "The dashboard and previews.host cannot be one name, nor one below the other.",
  },
);
export type Config = z.infer<typeof Config>;

/** Pages at names below a name can set cookies for it. */
function isApart(host: string, origin: string): boolean {
  const { hostname } = new URL(origin);
  return hostname !== host && !hostname.endsWith(`.${host}`) && !host.endsWith(`.${hostname}`);
}

/** Environment variables that people have for their model providers. A local orchestrator is restarted when a later run adds one. */
export const PROVIDER_VARIABLES = [
  "GEMINI_API_KEY",
  "GOOGLE_GEMINI_BASE_URL",
  "OPENAI_API_KEY",
  "OPENAI_BASE_URL",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_BASE_URL",
] as const;
