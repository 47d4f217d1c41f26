import type { Event, StepCause } from "../contract/event.ts";
import { decodeOutput } from "../contract/event.ts";
import type { JobRecord } from "./store.ts";

/** Of each step's output the transcript keeps its first and last part; the whole is in the events and logs. */
const EXCERPT_CHARS = 4_000;
/** Steps told one by one; a job with more has the rest in its events. */
const STEPS_TOLD_MAX = 1_000;

export type StepTold = {
  step: number;
  tool: string;
  title: string;
  ok: boolean | null;
  cause: StepCause | null;
  exit_code: number | null;
  duration_ms: number | null;
  message: string | null;
};

/** What happened in a job, gathered from its events: bounded, whatever the job wrote. */
export type Story = {
  summary: string;
  exit_code: number | null;
  steps: StepTold[];
  details: Map<number, { code: string; head: string; tail: string; cut: number }>;
  /** `after_step` is the last step that had begun. */
  said: { from: string; text: string; after_step: number }[];
};

export async function tellStory(events: AsyncIterable<Event>): Promise<Story> {
  const story: Story = { summary: "", exit_code: null, steps: [], details: new Map(), said: [] };
  const byNumber = new Map<number, StepTold>();
  for await (const event of events) {
    switch (event.type) {
      case "step.started": {
        if (story.steps.length >= STEPS_TOLD_MAX) break;
        const { step, tool, title, code } = event.data;
        const told: StepTold = {
          step,
          tool,
          title,
          ok: null,
          cause: null,
          exit_code: null,
          duration_ms: null,
          message: null,
        };
        story.steps.push(told);
        byNumber.set(step, told);
        story.details.set(step, { code: code.slice(0, EXCERPT_CHARS), head: "", tail: "", cut: 0 });
        break;
      }
      case "step.output": {
        const detail = story.details.get(event.data.step);
        if (detail === undefined) break;
        addOutput(detail, decodeOutput(event.data).toString("utf8"));
        break;
      }
      case "step.displayed": {
        const detail = story.details.get(event.data.step);
        const { mime, text } = event.data;
        if (detail !== undefined) addOutput(detail, text === null ? `[${mime}]\n` : `${text.trimEnd()}\n`);
        break;
      }
      case "step.ended": {
        const told = byNumber.get(event.data.step);
        if (told === undefined) break;
        const { ok, cause, exit_code, duration_ms, message } = event.data;
        Object.assign(told, { ok, cause, exit_code, duration_ms, message });
        break;
      }
      case "message.said":
        if (story.said.length < STEPS_TOLD_MAX)
          story.said.push({ ...event.data, after_step: story.steps.at(-1)?.step ?? 0 });
        break;
      case "agent.waiting":
        story.summary = event.data.summary;
        break;
      case "agent.ended":
        // An agent that had answered and only lingered when it was stopped has its answer as the summary.
        if (event.data.outcome !== "stopped" || story.summary === "") story.summary = event.data.summary;
        story.exit_code = event.data.exit_code;
        break;
      default:
    }
  }
  return story;
}

function addOutput(detail: { head: string; tail: string; cut: number }, text: string): void {
  const room = EXCERPT_CHARS - detail.head.length;
  detail.head += text.slice(0, room);
  const joined = detail.tail + text.slice(room);
  detail.cut += Math.max(0, joined.length - EXCERPT_CHARS);
  detail.tail = joined.slice(-EXCERPT_CHARS);
}

/** The job as Markdown for people. All that came out of the sandbox stands in fences that it cannot close. */
export function* transcript(record: JobRecord, story: Story): Generator<string> {
  const ending = record.state.ending;
  const { model } = record.request;
  yield `# Job ${record.job_id}\n\n`;
  yield `- Status: ${ending?.status ?? "unknown"}\n`;
  if (ending?.reason != null) yield `- Reason: ${ending.reason.code}: ${oneLine(ending.reason.message)}\n`;
  yield `- Scheduled: ${record.scheduled_at}\n- Agent: ${record.request.agent}\n${model === null ? "" : `- Model: ${model}\n`}- Template: ${record.request.template}\n`;
  yield `\n## Task\n\n${fenced(record.request.prompt)}`;
  if (story.summary !== "") yield `\n## Summary\n\n${fenced(story.summary)}`;
  yield* said(story, 0);
  for (const told of story.steps) {
    yield `\n## Step ${told.step} (${told.tool}): ${oneLine(told.title)}\n`;
    const detail = story.details.get(told.step);
    if (detail !== undefined) {
      yield `\n${fenced(detail.code)}`;
      const cut = detail.cut > 0 ? `\n… ${detail.cut} characters left out …\n` : "";
      const output = detail.head + cut + detail.tail;
      if (output !== "") yield `\nOutput:\n\n${fenced(output)}`;
    }
    yield `\n${outcome(told)}\n`;
    yield* said(story, told.step);
  }
}

function* said(story: Story, after: number): Generator<string> {
  for (const { from, text, after_step } of story.said)
    if (after_step === after) yield `\n## ${from === "person" ? "A person" : "The agent"}\n\n${fenced(text)}`;
}

function outcome(told: StepTold): string {
  if (told.cause === null) return "It had not ended.";
  const took = told.duration_ms === null ? "" : ` after ${(told.duration_ms / 1000).toFixed(2)} s`;
  const code = told.exit_code === null ? "" : ` with exit code ${told.exit_code}`;
  const message = told.message === null ? "" : ` (${oneLine(told.message)})`;
  return `${told.ok ? "Done" : "Failed"}: ${told.cause}${code}${took}${message}.`;
}

function fenced(content: string): string {
  let longest = 2;
  for (const [run] of content.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${content}${content.endsWith("\n") ? "" : "\n"}${fence}\n`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
