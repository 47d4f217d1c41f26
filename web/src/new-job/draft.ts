import type { Approval, EgressPolicy } from "../../../src/contract/job.ts";

/** A name with a value; `key` tells rows apart while both are typed. */
export type Pair = { key: number; name: string; value: string };

/** What is typed in as a number with a unit. */
export type Quantity =
  | "cpus"
  | "memory"
  | "disk"
  | "pids"
  | "timeout"
  | "idle_timeout"
  | "max_tokens"
  | "max_cost"
  | "max_calls"
  | "approval_timeout"
  | "linger"
  | "priority";

/** A new job as far as somebody has typed it. An empty text is what the server, the template or the agent makes of it. */
export type Draft = Record<Quantity, string> & {
  prompt: string;
  agent: string;
  model: string;
  template: string;
  egress: EgressPolicy | "";
  /** One a line, or with spaces or commas between. */
  hosts: string;
  approval: Approval["policy"];
  labels: readonly Pair[];
  env: readonly Pair[];
  patch: boolean;
};

export const EMPTY_DRAFT: Draft = {
  prompt: "",
  agent: "auto",
  model: "",
  template: "",
  cpus: "",
  memory: "",
  disk: "",
  pids: "",
  timeout: "",
  idle_timeout: "",
  egress: "",
  hosts: "",
  max_tokens: "",
  max_cost: "",
  max_calls: "",
  approval: "never",
  approval_timeout: "",
  linger: "",
  priority: "",
  labels: [],
  env: [],
  patch: false,
};

export function isEmpty(draft: Draft): boolean {
  return JSON.stringify(draft) === JSON.stringify(EMPTY_DRAFT);
}

/** A row more; keys are never used twice, so that an input keeps its place. */
export function withRow(pairs: readonly Pair[]): Pair[] {
  return [...pairs, { key: Math.max(0, ...pairs.map(({ key }) => key)) + 1, name: "", value: "" }];
}
