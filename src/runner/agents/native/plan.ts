import { z } from "zod";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { cutToJsonBytes } from "../../event-text.ts";

const STEPS_MAX = 50;
const FILES_MAX = 50;
const CHECKS_MAX = 10;
/** Parts of `plan.made`, as JSON: together they stay below EVENT_MAX_BYTES. */
const TITLE_MAX_BYTES = 300;
const FILE_MAX_BYTES = 200;
const COMMAND_MAX_BYTES = 2000;

const STATES = ["pending", "active", "done"] as const;

/** What the model means to do. It is its own, and shown to people. */
export const Plan = z.object({
  steps: z
    .array(
      z.object({
        title: z.string().min(1).describe("What is done, in a few words."),
        state: z.enum(STATES).default("pending"),
      }),
    )
    .min(1)
    .max(STEPS_MAX),
  files: z
    .array(z.string().min(1))
    .max(FILES_MAX)
    .default([])
    .describe("Files that the work will leave, relative to the workspace."),
  checks: z
    .array(
      z.object({
        title: z.string().min(1).describe("What this proves."),
        command: z
          .string()
          .min(1)
          .max(COMMAND_MAX_BYTES)
          .describe("Run by a new bash in the workspace; exit code 0 means passed."),
      }),
    )
    .max(CHECKS_MAX)
    .default([])
    .describe("Commands that prove that the result works; none when there is nothing to prove."),
});
export type Plan = z.infer<typeof Plan>;
export type Check = Plan["checks"][number];

export function planMade(plan: Plan): RunnerEventBody {
  const steps = plan.steps.map(({ title, state }) => ({
    title: cutToJsonBytes(title, TITLE_MAX_BYTES),
    state,
  }));
  const files = plan.files.map((file) => cutToJsonBytes(file, FILE_MAX_BYTES));
  const checks = plan.checks.map(({ title, command }) => ({
    title: cutToJsonBytes(title, TITLE_MAX_BYTES),
    command: cutToJsonBytes(command, COMMAND_MAX_BYTES),
  }));
  return { type: "plan.made", data: { steps, files, checks } };
}

const MARKS = { pending: " ", active: "~", done: "x" };

/** The plan as Markdown, as it lies in the workspace and in what the model reads. */
export function planText(plan: Plan): string {
  const steps = plan.steps.map(({ title, state }) => `- [${MARKS[state]}] ${title}`);
  const files = plan.files.map((file) => `- ${file}`);
  const checks = plan.checks.map(({ title, command }) => `- ${title}: \`${command}\``);
  const section = (title: string, lines: string[]) => (lines.length === 0 ? [] : [`${title}:`, ...lines]);
  return [...steps, ...section("Files", files), ...section("Checks", checks), ""].join("\n");
}
