import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { writeFileBelow } from "../../workspace/write-file.ts";

/** In the workspace, so that they are packed with the work: people may want to read them too. */
const NOTES_PATH = ".sealwork/notes.md";
const PLAN_PATH = ".sealwork/plan.md";
/** Notes beyond this are no notes. */
const NOTES_MAX_BYTES = 256 * 1024;

/** Empty when there are none. The model may have written them with any of its tools. */
export async function readNotes(workspace: string): Promise<string> {
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    await using file = await open(join(workspace, NOTES_PATH), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(NOTES_MAX_BYTES), 0, NOTES_MAX_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  }
}

/** Adds to the notes; a sentence for the model when that cannot be done. */
export async function addNote(workspace: string, text: string): Promise<string | null> {
  const notes = await readNotes(workspace);
  const next = `${notes === "" || notes.endsWith("\n") ? notes : `${notes}\n`}${text.trim()}\n`;
  if (Buffer.byteLength(next) > NOTES_MAX_BYTES)
    return `${NOTES_PATH} would become larger than ${NOTES_MAX_BYTES} bytes: rewrite it, with what is still true.`;
  return write(workspace, NOTES_PATH, next);
}

export function writePlan(workspace: string, text: string): Promise<string | null> {
  return write(workspace, PLAN_PATH, text);
}

async function write(workspace: string, path: string, text: string): Promise<string | null> {
  try {
    await writeFileBelow(workspace, path, Buffer.from(text));
    return null;
  } catch (error) {
    return `${path} could not be written: ${error instanceof Error ? error.message : String(error)}`;
  }
}
