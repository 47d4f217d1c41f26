import { z } from "zod";

/** A text that must occur: as it stands, or as a regular expression. */
const TextMatch = z.union([
  z.string().min(1),
  z.strictObject({
    pattern: z.string().min(1),
    flags: z
      .string()
      .regex(/^[imsu]*$/)
      .default(""),
  }),
]);
export type TextMatch = z.infer<typeof TextMatch>;

/** What a request must be like. All that is given must hold; nothing given holds for every request. */
export const When = z
  .strictObject({
    /** In the last message that a person (or the program for them) wrote. */
    user: TextMatch,
    /** In the tool results that end the conversation. */
    result: TextMatch,
    system: TextMatch,
    /** Anywhere in system text, messages, calls and results. */
    anywhere: TextMatch,
    nowhere: TextMatch,
    /** Names of tools that are offered, among others. */
    tools: z.array(z.string()),
    no_tools: z.literal(true),
    /** Which calls the model may make: `auto`, `none`, `required`, or the name of the one tool that it must call. */
    choice: z.string(),
    /** Whether JSON is asked for. */
    structured: z.boolean(),
    /** What the conversation ends with. */
    last: z.enum(["user", "result", "model"]),
  })
  .partial();
export type When = z.infer<typeof When>;

export const AnswerUsage = z.strictObject({
  input: z.int().min(0),
  output: z.int().min(0),
  /** Of the input. */
  cached: z.int().min(0).default(0),
  /** Beside the output. */
  thoughts: z.int().min(0).default(0),
});
export type AnswerUsage = z.infer<typeof AnswerUsage>;

export const ToolCall = z.strictObject({
  name: z.string(),
  /** A string is sent as it is where the protocol carries arguments as text, however broken it is. */
  args: z.union([z.record(z.string(), z.json()), z.string()]).default({}),
});
export type ToolCall = z.infer<typeof ToolCall>;

export const FINISHES = ["stop", "max_tokens", "safety", "blocked_prompt", "malformed_call"] as const;

const ErrorSaid = z.strictObject({
  status: z.int().min(400).max(599),
  /** `{key}` in it becomes the key that came, as careless providers do it. */
  message: z.string().optional(),
  retry_after_s: z.number().min(0).optional(),
});
export type ErrorSaid = z.infer<typeof ErrorSaid>;

/** What the model answers. With nothing in it, it is an answer that is empty. */
const Said = z.strictObject({
  thought: z.string().optional(),
  /** `{key}` in it becomes the key that came. */
  text: z.string().optional(),
  /** Sent as the text of the answer. */
  json: z.json().optional(),
  calls: z.array(ToolCall).default([]),
  finish: z.enum(FINISHES).default("stop"),
  /** Null: the provider does not say. Left out: a quarter of the characters. */
  usage: AnswerUsage.nullable().optional(),
  /** How many characters of text or arguments a piece of a stream holds. */
  piece_chars: z.int().min(1).default(24),
  /** In a stream, whose status was said to be 200, comes this instead of its end. */
  breaks_with: ErrorSaid.optional(),
});

const Refused = z.strictObject({ error: ErrorSaid });

const timing = {
  /** The answer waits until the test releases this name. */
  hold: z.string().optional(),
  /** The connection is destroyed when so many bytes of the body were sent. */
  cut_after_bytes: z.int().min(0).optional(),
};
export const Answer = z.union([Refused.extend(timing), Said.extend(timing)]);
export type Answer = z.infer<typeof Answer>;
export type AnswerInput = z.input<typeof Answer>;
export type Said = Exclude<Answer, { error: unknown }>;

const Turn = z.strictObject({
  when: When.default({}),
  answer: Answer,
  /** How many requests in a row get this answer. */
  times: z.int().min(1).default(1),
});
const Rule = z.strictObject({
  when: When,
  answer: Answer,
  /** Null: as often as it holds. */
  times: z.int().min(1).nullable().default(null),
});

/**
 * A whole conversation. A request is answered by the first rule that holds and is not used up, else by the next turn, which must hold:
 * anything else is a mistake of whoever asked.
 */
export const Scenario = z.strictObject({
  description: z.string().optional(),
  rules: z.array(Rule).default([]),
  turns: z.array(Turn).default([]),
});
export type Scenario = z.infer<typeof Scenario>;
export type ScenarioInput = z.input<typeof Scenario>;
