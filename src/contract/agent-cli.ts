import * as z from "zod/mini";
import { Protocol } from "./models.ts";

/**
 * How an agent CLI that speaks the Agent Client Protocol on its standard input and output is started. In arguments, values and files
 * `{base_url}`, `{model}` and `{key}` stand for the model's address inside the sandbox, its name and a dummy key.
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

/** The agent CLIs that are known without configuration. */
export const BUILT_IN_AGENTS: Record<string, z.input<typeof AgentCli>> = {
  "gemini-cli": {
    command: ["gemini", "--acp", "--skip-trust", "--model", "{model}"],
    env: { GEMINI_API_KEY: "{key}", GOOGLE_GEMINI_BASE_URL: "{base_url}" },
    files: {
      ".gemini/settings.json": JSON.stringify({ security: { auth: { selectedType: "gemini-api-key" } } }),
    },
    protocol: "google",
  },
};
