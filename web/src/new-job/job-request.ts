import { AppError } from "../../../src/contract/errors.ts";
import type { JobRequestInput } from "../../../src/contract/job.ts";
import { parseDuration, parseNumber, parseSize, parseWhole } from "../../../src/contract/typed-units.ts";
import type { Draft, Pair, Quantity } from "./draft.ts";

/** What is wrong, by the name of the field as the server has it: `limits.memory_bytes`. */
export type Faults = ReadonlyMap<string, string>;
export const NO_FAULTS: Faults = new Map();

/** How each quantity is read, and the field that it becomes. */
export const QUANTITIES: Record<Quantity, { loc: string; parse: (text: string) => number }> = {
  cpus: { loc: "limits.cpus", parse: parseNumber },
  memory: { loc: "limits.memory_bytes", parse: parseSize },
  disk: { loc: "limits.disk_bytes", parse: parseSize },
  pids: { loc: "limits.pids", parse: parseWhole },
  timeout: { loc: "limits.timeout_s", parse: parseDuration },
  idle_timeout: { loc: "limits.idle_timeout_s", parse: parseDuration },
  max_tokens: { loc: "budget.max_tokens", parse: parseWhole },
  max_cost: { loc: "budget.max_cost_usd", parse: parseNumber },
  max_calls: { loc: "budget.max_calls", parse: parseWhole },
  approval_timeout: { loc: "approval.timeout_s", parse: parseDuration },
  linger: { loc: "linger_s", parse: parseDuration },
  priority: { loc: "priority", parse: parseWhole },
};

/**
 * The request that a draft asks for, with nothing in it that says what the server does anyway, and what cannot be read. What can be read but
 * is not allowed is the server's to say.
 */
export function requestOf(draft: Draft): { request: JobRequestInput; faults: Faults } {
  const faults = new Map<string, string>();
  const number = (name: Quantity): number | undefined => {
    const text = draft[name].trim();
    if (text === "") return undefined;
    const { loc, parse } = QUANTITIES[name];
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      faults.set(loc, `${error.message} ${error.hint ?? ""}`.trim());
      return undefined;
    }
  };
  if (draft.prompt.trim() === "") faults.set("prompt", "Describe the task first.");
  const request = withoutNothing({
    prompt: promptOf(draft.prompt),
    agent: draft.agent === "auto" ? undefined : draft.agent,
    model: given(draft.model),
    template: given(draft.template),
    limits: {
      cpus: number("cpus"),
      memory_bytes: number("memory"),
      disk_bytes: number("disk"),
      pids: number("pids"),
      timeout_s: number("timeout"),
      idle_timeout_s: number("idle_timeout"),
    },
    egress: { policy: given(draft.egress), hosts: hostsOf(draft.hosts) },
    budget: {
      max_tokens: number("max_tokens"),
      max_cost_usd: number("max_cost"),
      max_calls: number("max_calls"),
    },
    approval: {
      policy: draft.approval === "never" ? undefined : draft.approval,
      timeout_s: number("approval_timeout"),
    },
    linger_s: number("linger"),
    priority: number("priority"),
    labels: recordOf(draft.labels, "labels", faults),
    env: recordOf(draft.env, "env", faults),
    patch: draft.patch || undefined,
  } satisfies JobRequestInput) as JobRequestInput;
  return { request, faults };
}

/**
 * A prompt without what is empty at its end; one of several lines ends like any text file does. So a shell can say exactly the same.
 */
export function promptOf(text: string): string {
  const end = text.trimEnd();
  return end.includes("\n") ? `${end}\n` : end.trimStart();
}

export function hostsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((word) => word !== ""))];
}

/** The faults that a 422 names; what belongs to no field of ours is under the empty name. */
export function faultsOf(details: unknown): Faults {
  if (!Array.isArray(details)) return NO_FAULTS;
  const faults = new Map<string, string>();
  for (const { loc, msg } of details) {
    const name = (loc as unknown[]).slice(1).join(".");
    if (!faults.has(name)) faults.set(name, String(msg));
  }
  return faults;
}

/** What is wrong with a field or something in it. */
export function faultAt(faults: Faults, loc: string): string | undefined {
  for (const [name, fault] of faults) if (name === loc || name.startsWith(`${loc}.`)) return fault;
  return undefined;
}

function given<T extends string>(text: T): Exclude<T, ""> | undefined {
  const word = text.trim();
  return word === "" ? undefined : (word as Exclude<T, "">);
}

function recordOf(pairs: readonly Pair[], loc: string, faults: Map<string, string>): Record<string, string> {
  const record = new Map<string, string>();
  for (const { name, value } of pairs) {
    const word = name.trim();
    if (word === "" && value === "") continue;
    if (word === "") faults.set(loc, "A value has no name.");
    else if (record.has(word)) faults.set(`${loc}.${word}`, `There are two ${word}.`);
    else record.set(word, value);
  }
  return Object.fromEntries(record);
}

/** Fields that say something. Objects that say nothing are left out with all that is in them. */
function withoutNothing(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields)
      .map(([name, value]) => [name, isObject(value) ? withoutNothing(value) : value])
      .filter(([, value]) => value !== undefined && !isNothing(value)),
  );
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isNothing = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;
