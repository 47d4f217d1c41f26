import { posix } from "node:path";
import type { Nodes } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { type DesktopAction, parseDesktopLine } from "./desktop-action.ts";
import { AppError } from "./errors.ts";

/** More steps than this are a mistake of whatever wrote the prompt; a plan has at most as many. */
export const STEPS_MAX = 1000;
/** Lists and quotes nested deeper than this are no task that a person wrote. */
const NESTING_MAX = 100;
/** Parsing holds up everything else of a server, and 30,000 lines of lists take a second; more input belongs into files. */
const LINES_MAX = 30_000;
const FILE_PATH_MAX_BYTES = 1024;
/** Actions in one `desktop` fence. */
const ACTIONS_MAX = 1000;

export type ScriptTool = "shell" | "python" | "js" | "ts";

/** `line` is that of the fence in the prompt, from 1. `continue_on_failure`: the job goes on when this step fails. */
export type ScriptStep = { code: string; line: number; continue_on_failure: boolean } & (
  | { tool: ScriptTool }
  | { tool: "file"; path: string }
  | { tool: "desktop"; actions: ScriptAction[] }
);

/** One line of a `desktop` fence; `line` is its number in the prompt, from 1. */
export type ScriptAction = { line: number; action: DesktopAction };

const TOOLS = new Map<string, ScriptTool>([
  ["sh", "shell"],
  ["bash", "shell"],
  ["python", "python"],
  ["py", "python"],
  ["js", "js"],
  ["javascript", "js"],
  ["ts", "ts"],
  ["typescript", "ts"],
]);

/** What stands within a line is of no interest here, and some of it takes quadratic time in long lines. */
const INLINE = [
  "attention",
  "autolink",
  "codeText",
  "hardBreakEscape",
  "htmlText",
  "labelEnd",
  "labelStartImage",
  "labelStartLink",
];

/**
 * The steps of a prompt: its fenced code blocks (CommonMark 0.31) in order, also those in lists and quotes. A fence whose language is one of
 * sh, bash, python, py, js, javascript, ts and typescript runs, one of `desktop` is a list of actions, a line each; one with `file=path` in its info string (quoted when the path has spaces)
 * writes that file, whatever its language; others are text. `path` is relative to the workspace and normalized. Pure.
 * Throws AppError `invalid_request`, whose message names the line, for a `file=` that leaves the workspace and for more than STEPS_MAX steps.
 */
export function parseScript(prompt: string): ScriptStep[] {
  refuseUnparsable(prompt);
  const steps: ScriptStep[] = [];
  const tree = fromMarkdown(prompt, { extensions: [{ disable: { null: INLINE } }] });
  for (const node of codeBlocks(tree)) {
    const line = node.position?.start.line ?? 1;
    const step = stepOf({ info: [node.lang, node.meta].filter(Boolean).join(" "), code: node.value, line });
    if (step === null) continue;
    if (steps.length === STEPS_MAX)
      throw refusal(line, `this is step ${STEPS_MAX + 1}, one more than a job may have`);
    steps.push(step);
  }
  return steps;
}

function* codeBlocks(root: Nodes): Generator<Extract<Nodes, { type: "code" }>> {
  const open: Nodes[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.type === "code") yield node;
    if ("children" in node) open.push(...node.children.toReversed());
  }
}

function stepOf(block: { info: string; code: string; line: number }): ScriptStep | null {
  const { code, line } = block;
  const words = wordsOf(block.info);
  const tool = TOOLS.get(words[0]?.toLowerCase() ?? "");
  const continue_on_failure = words.slice(1).includes("continue");
  const file = words.find((word) => word.startsWith("file="));
  if (file === undefined && words[0]?.toLowerCase() === "desktop")
    return { tool: "desktop", actions: actionsOf(code, line), code: `${code}\n`, line, continue_on_failure };
  if (file !== undefined) {
    const path = workspacePath(file.slice("file=".length), line);
    return { tool: "file", path, code: code === "" ? "" : `${code}\n`, line, continue_on_failure };
  }
  return tool === undefined ? null : { tool, code: `${code}\n`, line, continue_on_failure };
}

/** Empty lines and those that begin with # are no actions. */
function actionsOf(code: string, fence_line: number): ScriptAction[] {
  const actions: ScriptAction[] = [];
  for (const [index, text] of code.split("\n").entries()) {
    if (text.trim() === "" || text.trim().startsWith("#")) continue;
    const line = fence_line + 1 + index;
    const action = parseDesktopLine(text);
    if (typeof action === "string") throw refusal(line, action);
    if (actions.length === ACTIONS_MAX)
      throw refusal(line, `one fence has at most ${ACTIONS_MAX} actions of the desktop`);
    if (action.action === "screenshot" && action.file !== null)
      action.file = workspacePath(action.file, line);
    actions.push({ line, action });
  }
  return actions;
}

/** The words of an info string; double or single quotes hold together what has spaces. */
function wordsOf(info: string): string[] {
  const found = info.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return found.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}

function workspacePath(given: string, line: number): string {
  const told = JSON.stringify(given.slice(0, 200));
  if (given === "" || given.endsWith("/")) throw refusal(line, `file=${given} names no file`);
  if (/[\0-\x1f\x7f]/.test(given)) throw refusal(line, `${told} contains a control character`);
  if (Buffer.byteLength(given) > FILE_PATH_MAX_BYTES) throw refusal(line, `the path ${told} is too long`);
  const path = posix.normalize(given);
  if (posix.isAbsolute(path) || path === ".." || path.startsWith("../") || path === ".")
    throw refusal(line, `${told} lies outside the workspace; give a path relative to it`);
  return path;
}

function refuseUnparsable(prompt: string): void {
  const lines = prompt.split(/\r\n|\r|\n/, LINES_MAX + 1);
  if (lines.length > LINES_MAX)
    throw refusal(LINES_MAX + 1, `a prompt has at most ${LINES_MAX} lines; send more as files`);
  for (const [index, text] of lines.entries()) {
    const containers = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/.exec(text)?.[0] ?? "";
    if ((containers.match(/>|[-+*]|\d+/g)?.length ?? 0) > NESTING_MAX && !/^[\s*-]+$/.test(text))
      throw refusal(index + 1, `lists and quotes are nested more than ${NESTING_MAX} deep`);
  }
}

function refusal(line: number, what: string): AppError {
  return new AppError({ code: "invalid_request", message: `Line ${line} of the prompt: ${what}.` });
}
