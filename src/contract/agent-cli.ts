import * as z from "zod/mini";
import { Protocol } from "./models.ts";

/**
 * How an agent CLI that speaks the Agent Client Protocol on its standard input and output is started. In arguments, values and files
 * `{base_url}`, `{model}` and `{key}` stand for the model's address inside the sandbox, its name and a dummy key. Files are JSON or TOML
 * in which these stand between double quotes.
 */
export const AgentCli = z.strictObject({
  command: z.array(z.string()).check(z.minLength(1), z.maxLength(64)),
  env: z._default(z.record(z.string(), z.string()), {}),
  /** Files below the home folder, by path, written before the start. */
  files: z._default(z.record(z.string(), z.string()), {}),
  /** The template whose image has the program; taken when a job names none. */
  template: z._default(z.string(), "agents"),
  /** Which form of provider it speaks to. */
  protocol: Protocol,
});
export type AgentCli = z.infer<typeof AgentCli>;

/** Asks for nobody's leave but ours, tells nobody else what it does, and prints what its commands print. */
const GEMINI_SETTINGS = {
  security: { auth: { selectedType: "gemini-api-key" } },
  general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
  privacy: { usageStatisticsEnabled: false },
  telemetry: { enabled: false },
  // In a terminal of its own a command's output never reaches the protocol.
  tools: { shell: { enableInteractiveShell: false } },
};

/** Each command asks, because what one may do is decided by the job; the container is the wall, a second one inside it only fails. */
const CODEX_CONFIG = `model = "{model}"
model_provider = "sealwork"
approval_policy = "untrusted"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.sealwork]
name = "Sealwork"
base_url = "{base_url}"
env_key = "OPENAI_API_KEY"
wire_api = "responses"

[analytics]
enabled = false
`;

const OPENCODE_CONFIG = {
  autoupdate: false,
  share: "disabled",
  model: "sealwork/{model}",
  small_model: "sealwork/{model}",
  permission: { edit: "ask", bash: "ask", webfetch: "ask" },
  enabled_providers: ["sealwork"],
  provider: {
    sealwork: {
      npm: "@ai-sdk/openai-compatible",
      options: { baseURL: "{base_url}", apiKey: "{key}" },
      models: { "{model}": {} },
    },
  },
};

/**
 * The agent CLIs that are known without configuration. The template `agents` has the program of the first; the others are large or not
 * open source, and work with a template of their name whose image has their program.
 */
export const BUILT_IN_AGENTS: Record<string, z.input<typeof AgentCli>> = {
  "gemini-cli": {
    command: ["gemini", "--acp", "--skip-trust", "--model", "{model}"],
    // Without the second process that it starts itself as, it is ready in about half the time.
    env: { GEMINI_API_KEY: "{key}", GOOGLE_GEMINI_BASE_URL: "{base_url}", GEMINI_CLI_NO_RELAUNCH: "true" },
    files: { ".gemini/settings.json": JSON.stringify(GEMINI_SETTINGS) },
    protocol: "google",
  },
  "claude-code": {
    command: ["claude-agent-acp"],
    env: {
      ANTHROPIC_API_KEY: "{key}",
      ANTHROPIC_BASE_URL: "{base_url}",
      ANTHROPIC_MODEL: "{model}",
      ANTHROPIC_SMALL_FAST_MODEL: "{model}",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    },
    template: "claude-code",
    protocol: "anthropic",
  },
  codex: {
    command: ["codex-acp"],
    env: { OPENAI_API_KEY: "{key}" },
    files: { ".codex/config.toml": CODEX_CONFIG },
    template: "codex",
    protocol: "openai",
  },
  opencode: {
    command: ["opencode", "acp"],
    files: { ".config/opencode/opencode.json": JSON.stringify(OPENCODE_CONFIG) },
    env: { OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1" },
    template: "opencode",
    protocol: "openai",
  },
};
