import type { JSONSchema7 } from "ai";
import { z } from "zod";

/** What a model is told of a tool. */
export type ToolDefinition = { name: string; description: string; schema: JSONSchema7 };

/** In the draft of JSON Schema that all providers take. */
export function toolDefinition(tool: {
  name: string;
  description: string;
  input: z.ZodType;
}): ToolDefinition {
  const { name, description, input } = tool;
  const schema = z.toJSONSchema(input, { target: "draft-7", io: "input", reused: "inline" });
  return { name, description, schema: schema as JSONSchema7 };
}
