import { join, relative } from "node:path";
import { z } from "zod";
import { StopCause } from "../../process/tool-processes.ts";
import { done, endingLine, refused } from "../outcome.ts";
import type { AgentTool, StepContext, ToolOutcome } from "../tool.ts";
import type { ToolPlace } from "../tool-place.ts";
import { openToRead } from "./file-content.ts";
import { entriesOf, PASSED_OVER } from "./list-files-tool.ts";
import { isBelow, type Reach, type Reached } from "./reach.ts";

const MATCHES_MAX = 200;
const SHOWN_MAX_BYTES = 48 * 1024;
const LINE_MAX_CHARS = 300;
const TIMEOUT_MS = 60_000;
/** Bounds of the search without ripgrep. */
const WALK_FILES_MAX = 20_000;
const WALK_FILE_MAX_BYTES = 1024 * 1024;
const NO_MATCH_EXIT = 1;

const SearchFilesInput = z.object({
  pattern: z.string().min(1).max(1000).describe("A regular expression (Rust's syntax, as ripgrep takes it)."),
  path: z.string().min(1).max(4096).default(".").describe("A folder or file, the workspace when left out."),
  glob: z.string().max(200).optional().describe("Only files like this, such as *.ts or src/**/*.py."),
  ignore_case: z.boolean().default(false),
  literal: z.boolean().default(false).describe("Take the pattern as plain text."),
});
type SearchFilesInput = z.infer<typeof SearchFilesInput>;

export function searchFilesTool(place: ToolPlace, reach: Reach): AgentTool<SearchFilesInput> {
  return {
    name: "search_files",
    description: `Searches file contents and shows path:line:text, at most ${MATCHES_MAX} lines. Leaves out what .gitignore names, .git and binary files.`,
    input: SearchFilesInput,
    step: "search",
    changes: () => false,
    describe: ({ pattern, path }) => ({ title: `search ${pattern} in ${path}`, code: pattern }),
    async run(input, context) {
      const begun = performance.now();
      const found = await reach.find(input.path);
      if (typeof found === "string") return refused(found, begun);
      return (await withRipgrep(input, found, context)) ?? withoutRipgrep(input, found, begun);
    },
  };

  /** Null when the image has no ripgrep. */
  async function withRipgrep(
    input: SearchFilesInput,
    found: Reached,
    context: StepContext,
  ): Promise<ToolOutcome | null> {
    const begun = performance.now();
    const chunks: Buffer[] = [];
    let bytes = 0;
    const enough = new AbortController();
    const timer = setTimeout(() => enough.abort(new StopCause("timed_out")), TIMEOUT_MS);
    const result = await place.processes
      .run({
        argv: ripgrepArgv(input, found.shown),
        cwd: place.workspace,
        env: place.env,
        stdin_path: null,
        signal: AbortSignal.any([context.signal, enough.signal]),
        async onOutput(_stream, chunk) {
          chunks.push(chunk.subarray(0, SHOWN_MAX_BYTES - bytes));
          bytes += chunk.length;
          if (bytes > SHOWN_MAX_BYTES) enough.abort(new StopCause("cancelled"));
        },
      })
      .finally(() => clearTimeout(timer));
    if (result.cause === "not_started" && result.message?.includes("not in this image")) return null;
    const text = Buffer.concat(chunks).toString("utf8");
    if (context.signal.aborted) return { ...result, for_model: "The search was stopped." };
    const whole = bytes <= SHOWN_MAX_BYTES;
    const failed = result.exit_code !== 0 && result.exit_code !== NO_MATCH_EXIT;
    if (whole && failed) return refused(`${endingLine(result)}\n${text}`, begun);
    return done(
      shownMatches(
        text.split("\n").filter((line) => line !== ""),
        whole,
      ),
      begun,
    );
  }

  /** Plain text only: a regular expression of a model's could hold the whole runner up for hours. */
  async function withoutRipgrep(
    { pattern, ignore_case, glob, literal }: SearchFilesInput,
    found: Reached,
    begun: number,
  ): Promise<ToolOutcome> {
    if (glob !== undefined)
      return refused("This image has no ripgrep (rg): search without glob, or with grep in shell.", begun);
    const fold = (text: string): string => (ignore_case ? text.toLowerCase() : text);
    const wanted = fold(pattern);
    const matches: string[] = [];
    let files = 0;
    for await (const path of walk(found.real)) {
      if (matches.length > MATCHES_MAX || ++files > WALK_FILES_MAX) break;
      const text = await smallText(path);
      if (text === null || !fold(text).includes(wanted)) continue;
      const shown = isBelow(place.workspace, path) ? relative(place.workspace, path) : path;
      for (const [index, line] of text.split("\n").entries())
        if (fold(line).includes(wanted))
          matches.push(`${shown}:${index + 1}:${line.slice(0, LINE_MAX_CHARS)}`);
    }
    const note = literal ? "" : "(this image has no ripgrep (rg): the pattern was taken as plain text)\n";
    return done(`${note}${shownMatches(matches, files <= WALK_FILES_MAX)}`, begun);
  }
}

function ripgrepArgv(input: SearchFilesInput, path: string): [string, ...string[]] {
  const flags = ["--line-number", "--no-heading", "--with-filename", "--color=never", "--no-messages"];
  flags.push("--hidden", "--glob=!.git", "--no-config", "--sort=path", "--no-require-git");
  flags.push(`--max-columns=${LINE_MAX_CHARS}`, "--max-columns-preview", "--max-filesize=10M");
  if (input.glob !== undefined) flags.push(`--glob=${input.glob}`);
  if (input.ignore_case) flags.push("--ignore-case");
  if (input.literal) flags.push("--fixed-strings");
  return ["rg", ...flags, `--regexp=${input.pattern}`, "--", path];
}

function shownMatches(lines: readonly string[], whole: boolean): string {
  if (lines.length === 0) return "No line matches.";
  const shown = lines.slice(0, MATCHES_MAX).map((line) => line.replace(/^\.\//, ""));
  const cut =
    whole && lines.length <= MATCHES_MAX ? "" : "\n(there are more: narrow the pattern, path or glob)";
  return `${shown.join("\n")}${cut}`;
}

async function* walk(path: string): AsyncGenerator<string> {
  const { entries } = await entriesOf(path);
  if (entries.length === 0) yield path;
  for (const entry of entries) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) {
      if (!PASSED_OVER.has(entry.name)) yield* walk(below);
    } else if (entry.isFile()) yield below;
  }
}

/** The content of a file that is small and text. */
async function smallText(path: string): Promise<string | null> {
  const opened = await openToRead(path, path);
  if (typeof opened === "string") return null;
  await using file = opened.file;
  if (opened.size_bytes > WALK_FILE_MAX_BYTES) return null;
  const content = await file.readFile();
  return content.includes(0) ? null : content.toString("utf8");
}
