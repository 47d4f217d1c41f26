import type { ToolCall, ToolCallContent, ToolCallUpdate, ToolKind } from "@agentclientprotocol/sdk";
import * as z from "zod/mini";
import type { StepTool } from "../../../contract/event.ts";
import { firstLine } from "../../event-text.ts";

/** What a tool call is known to be by now: each update names only what is new. */
export type KnownCall = {
  id: string;
  title: string;
  kind: ToolKind;
  status: NonNullable<ToolCallUpdate["status"]>;
  content: ToolCallContent[];
  /** Whether the content came before any result: it says what the call is about. */
  announces: boolean;
  paths: string[];
  input: unknown;
  result: unknown;
};

export type FileDiff = { path: string; before: string | null; after: string };

const TOOLS: Record<ToolKind, StepTool> = {
  execute: "shell",
  edit: "file",
  delete: "file",
  move: "file",
  read: "search",
  search: "search",
  fetch: "web",
  think: "think",
  switch_mode: "other",
  other: "other",
};

/** Where agents say with what code a command of theirs ended; the protocol has no place of its own for it. */
const ExitCode = z.union([
  z.pipe(
    z.object({ exit_code: z.int() }),
    z.transform(({ exit_code }) => exit_code),
  ),
  z.pipe(
    z.object({ exitCode: z.int() }),
    z.transform(({ exitCode }) => exitCode),
  ),
  z.pipe(
    z.object({ metadata: z.object({ exit: z.int() }) }),
    z.transform(({ metadata }) => metadata.exit),
  ),
]);
const RawOutput = z.object({
  aggregated_output: z.optional(z.string()),
  output: z.optional(z.string()),
  stdout: z.optional(z.string()),
});
const FENCED = /^```\w*\n([\s\S]*?)\n?```\s*$/;
const Command = z.object({ command: z.union([z.string(), z.array(z.string())]) });

export function newCall(id: string): KnownCall {
  return {
    id,
    title: "",
    kind: "other",
    status: "pending",
    content: [],
    announces: true,
    paths: [],
    input: undefined,
    result: undefined,
  };
}

/** What is known after an update; what the update leaves out or calls null stays. `announced`: it is the first that is told of the call. */
export function withUpdate(
  call: KnownCall,
  update: ToolCallUpdate | ToolCall,
  announced: boolean,
): KnownCall {
  const status = update.status ?? call.status;
  const told_early = status === "pending" || (announced && status === "in_progress");
  return {
    id: call.id,
    title: update.title ?? call.title,
    kind: update.kind ?? call.kind,
    status,
    announces: update.content === undefined || update.content === null ? call.announces : told_early,
    content: update.content ?? call.content,
    paths: update.locations?.map(({ path }) => path) ?? call.paths,
    input: update.rawInput ?? call.input,
    result: update.rawOutput ?? call.result,
  };
}

export function isOver({ status }: KnownCall): boolean {
  return status === "completed" || status === "failed";
}

/** Whether enough is known to say what the step does: a pending call may still be on its way from the model, with its input to follow. */
export function isDescribed({ status, input, content }: KnownCall): boolean {
  if (status !== "pending" || content.length > 0 || input === undefined || input === null) return true;
  return typeof input !== "object" || Object.keys(input).some((name) => name !== "cwd");
}

/** The step that a call is: one line for people, and what is carried out as far as the agent tells it. */
export function subjectOf(call: KnownCall): { tool: StepTool; title: string; code: string } {
  const command = commandOf(call.input);
  const title = firstLine(call.title) || firstLine(command ?? "") || call.paths[0] || call.kind;
  const input =
    call.input === undefined || call.input === null ? null : JSON.stringify(call.input, undefined, 2);
  const tool = TOOLS[call.kind];
  // What a file becomes is told as its change.
  const files = tool === "file" && call.paths.length > 0 ? call.paths.join("\n") : null;
  const code = command ?? files ?? (tool === "shell" ? null : input) ?? (call.title || title);
  return { tool, title, code };
}

/** All text that the call shows as its result. */
export function textOf(content: readonly ToolCallContent[]): string {
  const texts: string[] = [];
  for (const part of content) {
    if (part.type !== "content") continue;
    const { content: block } = part;
    if (block.type === "text") texts.push(block.text);
    else if (block.type === "resource" && "text" in block.resource) texts.push(block.resource.text);
    else if (block.type === "resource_link") texts.push(block.uri);
  }
  return texts.join("\n");
}

/**
 * What a call has given out so far. Some agents put a command's output between fences, for chat windows; some tell it only in the raw result,
 * in fields of their own.
 */
export function outputOf({ kind, content, announces, result }: KnownCall): string {
  const text = announces ? "" : textOf(content);
  if (kind !== "execute") return text;
  if (text !== "") return FENCED.exec(text)?.[1] ?? text;
  const found = RawOutput.safeParse(result);
  return found.success ? (found.data.aggregated_output ?? found.data.output ?? found.data.stdout ?? "") : "";
}

export function imagesOf({ content, announces }: KnownCall): { mime: string; base64: string }[] {
  if (announces) return [];
  return content.flatMap((part) =>
    part.type === "content" && part.content.type === "image"
      ? [{ mime: part.content.mimeType, base64: part.content.data }]
      : [],
  );
}

/** The changes of files that a call shows. A file that was not there may be told as an empty one. */
export function diffsOf(content: readonly ToolCallContent[]): FileDiff[] {
  return content.flatMap((part) => {
    if (part.type !== "diff") return [];
    const before = part._meta?.kind === "add" ? null : (part.oldText ?? null);
    return [{ path: part.path, before, after: part.newText }];
  });
}

/** Null when the agent does not say it. */
export function exitCodeOf({ result }: KnownCall): number | null {
  const found = ExitCode.safeParse(result);
  return found.success ? found.data : null;
}

function commandOf(input: unknown): string | null {
  const found = Command.safeParse(input);
  if (!found.success) return null;
  const { command } = found.data;
  if (typeof command === "string") return command;
  const [, option = "", script] = command;
  // A shell with a script reads better as the script.
  return command.length === 3 && /^-l?c$/.test(option) && script !== undefined ? script : command.join(" ");
}
