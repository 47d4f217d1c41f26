import { type ModelMessage, modelMessageSchema } from "ai";
import { z } from "zod";
import { REASON_CODES } from "../../../../contract/errors.ts";
import { Plan } from "../plan.ts";

/** Another number means that what lies on the volume cannot be read by this version. */
const STATE_VERSION = 1;

export const NODES = ["analysis", "work", "compile"] as const;
/** A place in the agent's graph. */
export type Node = (typeof NODES)[number];

/** All that an agent needs to go on in another sandbox. */
export const AgentState = z.object({
  version: z.literal(STATE_VERSION),
  /** Null between two turns. */
  node: z.enum(NODES).nullable(),
  /** How the last turn ended; null before the first has. */
  end: z
    .object({
      outcome: z.enum(["complete", "failed", "stopped"]),
      reason: z.object({ code: z.enum(REASON_CODES), message: z.string(), hint: z.string() }).nullable(),
      exit_code: z.int().nullable(),
      summary: z.string(),
    })
    .nullable(),
  turns: z.int(),
  plan: Plan.nullable(),
  /** What people said, in order, shortened: it outlives every compaction. */
  requests: z.array(z.string()),
  /** What the last compaction left of older exchanges. */
  summary: z.string().nullable(),
  messages: z.array(z.custom<ModelMessage>((value) => modelMessageSchema.safeParse(value).success)),
  /** Calls of the last answer without usable input, by their id, and why. */
  malformed: z.record(z.string(), z.string()),
  /** The last step of the job, and the calls and kept outputs so far: numbers that are used once. */
  steps: z.int(),
  calls: z.int(),
  outputs: z.int(),
  outputs_bytes: z.int(),
  /** Of this turn: questions to the model and calls of tools together, and rounds of checks. */
  actions: z.int(),
  check_rounds: z.int(),
  /** Whether something was run or written since the checks last ran. */
  changed: z.boolean(),
  /** The call that is being carried out: `step` once it may have begun, null while a person is asked. */
  open: z.object({ id: z.string(), number: z.int(), step: z.int().nullable() }).nullable(),
  /** What the model has to be told before it is asked again. */
  notice: z.string().nullable(),
});
export type AgentState = z.infer<typeof AgentState>;

export const NEW_STATE: AgentState = {
  version: STATE_VERSION,
  node: null,
  end: null,
  turns: 0,
  plan: null,
  requests: [],
  summary: null,
  messages: [],
  malformed: {},
  steps: 0,
  calls: 0,
  outputs: 0,
  outputs_bytes: 0,
  actions: 0,
  check_rounds: 0,
  changed: false,
  open: null,
  notice: null,
};
