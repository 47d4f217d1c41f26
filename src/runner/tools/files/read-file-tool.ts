import type { FileHandle } from "node:fs/promises";
import { z } from "zod";
import { done, refused } from "../outcome.ts";
import type { AgentTool, ToolOutcome } from "../tool.ts";
import { beginsBinary, openToRead } from "./file-content.ts";
import type { Reach } from "./reach.ts";

const LINES_MAX = 2000;
const LINE_MAX_BYTES = 2000;
const SHOWN_MAX_BYTES = 64 * 1024;
/** What is looked through for the lines that are asked for. */
const SCANNED_MAX_BYTES = 256 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const IMAGE_MAX_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

const ReadFileInput = z.object({
  path: z.string().min(1).max(4096).describe("Relative to the workspace, or absolute below home."),
  start_line: z.int().min(1).default(1).describe("The first line to read, from 1."),
  lines: z.int().min(1).max(LINES_MAX).default(LINES_MAX).describe("How many lines at most."),
});
type ReadFileInput = z.infer<typeof ReadFileInput>;

export function readFileTool(reach: Reach): AgentTool<ReadFileInput> {
  return {
    name: "read_file",
    description: `Reads a text file, with line numbers that are not part of it. At most ${LINES_MAX} lines and ${SHOWN_MAX_BYTES / 1024} KiB a call; read on with start_line. Pictures (PNG, JPEG, GIF, WebP) are shown.`,
    input: ReadFileInput,
    step: "file",
    changes: () => false,
    describe: ({ path, start_line }) => ({
      title: start_line === 1 ? `read ${path}` : `read ${path} from line ${start_line}`,
      code: "",
    }),
    async run({ path, start_line, lines }): Promise<ToolOutcome> {
      const begun = performance.now();
      const found = await reach.find(path);
      if (typeof found === "string") return refused(found, begun);
      const opened = await openToRead(found.real, found.shown);
      if (typeof opened === "string") return refused(opened, begun);
      await using file = opened.file;
      const { binary, start } = await beginsBinary(file);
      const mime = imageType(start);
      if (mime !== null && opened.size_bytes <= IMAGE_MAX_BYTES) {
        const base64 = (await file.readFile()).toString("base64");
        const images = [{ mime, base64 }];
        return { ...done(`${found.shown}: ${mime}, ${opened.size_bytes} bytes.`, begun), images };
      }
      if (binary) return refused(`${found.shown} is no text (${opened.size_bytes} bytes).`, begun);
      if (opened.size_bytes === 0) return done(`${found.shown} is empty.`, begun);
      return done(await numbered(file, start_line, lines), begun);
    },
  };
}

/** The lines from `first` on, each with its number, and what is left out. */
async function numbered(file: FileHandle, first: number, count: number): Promise<string> {
  const shown: string[] = [];
  let shown_bytes = 0;
  let line = 1;
  let pending = Buffer.alloc(0);
  let cut = false;
  let begun = false;
  let position = 0;
  const finish = (): void => {
    if (line >= first && shown.length < count && shown_bytes < SHOWN_MAX_BYTES) {
      const text = `${String(line).padStart(6)}\t${pending.toString("utf8").replace(/\r$/, "")}${cut ? "…" : ""}`;
      shown.push(text);
      shown_bytes += text.length;
    }
    pending = Buffer.alloc(0);
    cut = false;
    begun = false;
    line += 1;
  };
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let at_end = false;
  while (position < SCANNED_MAX_BYTES && shown.length < count && shown_bytes < SHOWN_MAX_BYTES) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    at_end = bytesRead === 0;
    if (at_end) break;
    position += bytesRead;
    for (let from = 0; from < bytesRead; ) {
      const newline = buffer.subarray(0, bytesRead).indexOf(NEWLINE, from);
      const to = newline < 0 ? bytesRead : newline;
      const room = LINE_MAX_BYTES - pending.length;
      cut ||= to - from > room;
      if (line >= first) pending = Buffer.concat([pending, buffer.subarray(from, Math.min(to, from + room))]);
      begun ||= to > from;
      if (newline >= 0) finish();
      from = to + 1;
    }
  }
  if (at_end && begun) finish();
  const last = line - 1;
  if (shown.length === 0) return `(the file has ${last} lines)`;
  const shown_to = first + shown.length - 1;
  const more = at_end && shown_to >= last ? "" : `\n(more follows: read on with start_line ${shown_to + 1})`;
  return `${shown.join("\n")}${more}`;
}

function imageType(start: Buffer): string | null {
  const ascii = start.toString("latin1", 0, 12);
  if (ascii.startsWith("\u0089PNG\r\n\u001a\n")) return "image/png";
  if (ascii.startsWith("\u00ff\u00d8\u00ff")) return "image/jpeg";
  if (ascii.startsWith("GIF87a") || ascii.startsWith("GIF89a")) return "image/gif";
  return ascii.startsWith("RIFF") && ascii.slice(8) === "WEBP" ? "image/webp" : null;
}
