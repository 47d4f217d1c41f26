import type { ReasonCode } from "../../../../src/contract/errors.ts";
import type { Job } from "../../../../src/contract/job.ts";
import { writeDuration, writeSize } from "../../../../src/contract/typed-units.ts";
import {
  formatCost,
  formatCount,
  formatDuration,
  formatSize,
  formatSpan,
} from "../../../../src/contract/units.ts";
import type { CloneChange } from "../../new-job/new-job-search.ts";
import type { Step, Story } from "../replay/story.ts";

export type Fix =
  | { kind: "clone"; label: string; change: CloneChange }
  | { kind: "retry"; label: string }
  | { kind: "page"; label: string; to: "/settings/templates" | "/settings/engine" };

export type Figure = { name: string; value: string };

/** Why a job ended otherwise than complete: the step it was at, the figures that matter, and what can be done about it. */
export type Cause = { step: Step | null; figures: Figure[]; fixes: Fix[] };

/** A bound that was too low is doubled. */
const MORE = 2;

const RETRY: Fix = { kind: "retry", label: "Retry" };
const EDIT: Fix = { kind: "clone", label: "Change it and run again", change: {} };

export function causeOf(job: Job, story: Story): Cause | null {
  const { reason } = job;
  if (reason === null) return null;
  return { step: stepOf(reason.code, story), figures: figuresOf(job, story), fixes: fixesOf(job) };
}

/** The step that failed, or that ran when the job was ended. */
function stepOf(code: ReasonCode, { steps }: Story): Step | null {
  if (code === "image_missing" || code === "sandbox_start_failed") return null;
  const last = steps.at(-1);
  if (last === undefined) return null;
  const running = last.ended === null || !last.ended.data.ok;
  if (code === "step_failed") return steps.findLast(({ ended }) => ended?.data.ok === false) ?? null;
  return running ? last : null;
}

function figuresOf({ reason, limits, usage, budget, template }: Job, { limits: reached }: Story): Figure[] {
  const over = reached.findLast(({ data }) => data.limit === "disk")?.data.value ?? null;
  switch (reason?.code) {
    case "out_of_memory":
      return [
        { name: "Memory limit", value: formatSize(limits.memory_bytes) },
        { name: "Used at most", value: formatSize(usage.memory_peak_bytes) },
      ];
    case "disk_full":
      return [
        { name: "Disk limit", value: formatSize(limits.disk_bytes) },
        ...(over === null ? [] : [{ name: "It had reached", value: formatSize(over) }]),
      ];
    case "timed_out":
      return [{ name: "Time limit", value: formatSpan(limits.timeout_s) }];
    case "idle_timed_out":
      return [{ name: "Idle limit", value: formatSpan(limits.idle_timeout_s) }];
    case "image_missing":
      return [{ name: "Template", value: template }];
    case "budget_exhausted": {
      const tokens = usage.input_tokens + usage.output_tokens;
      const of = (used: string, most: string): string => `${used} of ${most}`;
      return [
        ...(budget.max_tokens === null
          ? []
          : [{ name: "Tokens", value: of(formatCount(tokens), formatCount(budget.max_tokens)) }]),
        ...(budget.max_cost_usd === null
          ? []
          : [{ name: "Cost", value: of(formatCost(usage.cost_usd), formatCost(budget.max_cost_usd)) }]),
        ...(budget.max_calls === null
          ? []
          : [
              {
                name: "Model calls",
                value: of(formatCount(usage.model_calls), formatCount(budget.max_calls)),
              },
            ]),
      ];
    }
    default:
      return [];
  }
}

function fixesOf({ reason, limits, budget }: Job): Fix[] {
  switch (reason?.code) {
    case "out_of_memory": {
      const bytes = limits.memory_bytes * MORE;
      return [clone(`Clone with ${formatSize(bytes)}`, { memory: writeSize(bytes) })];
    }
    case "disk_full": {
      const bytes = limits.disk_bytes * MORE;
      return [clone(`Clone with ${formatSize(bytes)} of disk`, { disk: writeSize(bytes) })];
    }
    case "timed_out": {
      const seconds = limits.timeout_s * MORE;
      return [clone(`Clone with ${formatSpan(seconds)}`, { timeout: writeDuration(seconds) })];
    }
    case "idle_timed_out": {
      const seconds = limits.idle_timeout_s * MORE;
      return [
        clone(`Clone with ${formatSpan(seconds)} of idle time`, { idle_timeout: writeDuration(seconds) }),
      ];
    }
    case "budget_exhausted": {
      const { max_tokens, max_cost_usd, max_calls } = budget;
      return [
        clone("Clone with twice the budget", {
          ...(max_tokens !== null && { max_tokens: String(max_tokens * MORE) }),
          ...(max_cost_usd !== null && { max_cost: String(max_cost_usd * MORE) }),
          ...(max_calls !== null && { max_calls: String(max_calls * MORE) }),
        }),
      ];
    }
    case "image_missing":
      return [RETRY, { kind: "page", label: "Look at the templates", to: "/settings/templates" }];
    case "sandbox_start_failed":
      return [{ kind: "page", label: "Look at the engine", to: "/settings/engine" }, RETRY];
    case "step_failed":
    case "agent_failed":
    case "protocol_violated":
      return [EDIT, RETRY];
    default:
      return [RETRY];
  }
}

function clone(label: string, change: CloneChange): Fix {
  return { kind: "clone", label, change };
}

/** How a step came to its end, in a few words. */
export function endOfStep({ ended }: Step): string {
  if (ended === null) return "was still running";
  const { cause, exit_code, signal, duration_ms } = ended.data;
  const after = `after ${formatDuration(duration_ms)}`;
  switch (cause) {
    case "exited":
      return `exit code ${exit_code ?? "unknown"} ${after}`;
    case "signalled":
      return `ended by ${signal ?? "a signal"} ${after}`;
    case "out_of_memory":
      return `ended by the kernel for memory ${after}`;
    case "timed_out":
      return `ended by its time limit ${after}`;
    case "cancelled":
      return `cancelled ${after}`;
    case "not_started":
      return "could not be started";
    case "reaper_lost":
      return `lost ${after}`;
  }
}
