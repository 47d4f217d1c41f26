import { lstat, mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../contract/errors.ts";
import { formatSize } from "../../contract/units.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { Copied } from "../copied.ts";
import { type CopyPlace, copyPlace, type Meaning, meaningOf, type RemotePlace } from "../copy-place.ts";
import { EXIT } from "../exit-code.ts";
import { write } from "../io.ts";
import { JobFiles, type Kind } from "../job-files.ts";
import { resolveJobId } from "../job-id.ts";
import { plural } from "../job-summary.ts";
import { createProgress } from "../progress.ts";
import { plainLine } from "../terminal-text.ts";

/** In the workspace it is Sealwork's own; one from an earlier result is not sent. */
const RESERVED = ".sealwork";

type Copy = { context: Context; files: JobFiles; copied: Copied; signal: AbortSignal };

/** `cp`: copies a file or folder into the sandbox of a job, or out of it (from its ZIP once it has ended). */
export async function cp(context: Context, from: string, to: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const [source, target] = [copyPlace(from), copyPlace(to)];
  const remote = source.kind === "job" ? source : target.kind === "job" ? target : null;
  if (remote === null || source.kind === target.kind) throw notBetween(source);
  const client = await connect(context, { start: false, signal });
  const job_id = await resolveJobId(client, remote.job, signal);
  // A job that is not there is told from a file that is not.
  await client.job(job_id, signal);
  const files = new JobFiles(client, job_id, signal);
  using progress = createProgress(context.io);
  const copied = new Copied((bytes) => progress.figure(formatSize(bytes)));
  const copy: Copy = { context, files, copied, signal };
  if (target.kind === "stream") {
    await copyToStream(copy, remote);
    return EXIT.complete;
  }
  progress.step(`${from} → ${to}`);
  if (target.kind === "here") await copyHere(copy, remote, target.path);
  else if (source.kind === "here") await copyIn(copy, source.path, remote);
  else await copyFromStream(copy, remote);
  progress.done();
  const { files: count, size_bytes, notes, left_out } = copied;
  if (context.json) await printJson(context, { job_id, files: count, size_bytes, notes, left_out });
  else await print(context, summary(copied, to).join("\n"));
  return EXIT.complete;
}

async function copyIn({ context, files, copied }: Copy, given: string, to: RemotePlace): Promise<void> {
  const at = path.resolve(context.io.cwd, given);
  const kind = await kindHere(at);
  const meaning = meaningOf(given);
  if (kind === "missing" || (kind === "file" && meaning.folder && !meaning.content))
    throw usage(`${given} is ${kind === "missing" ? "neither a file nor a folder here" : "no folder"}.`);
  const source = { kind, name: path.basename(at), meaning };
  const { folder, name } = landing(source, to, await files.kind(to));
  const { tarOfFile, tarOfFolder } = await import("../folder-tar.ts");
  const skipped = to.root === "workspace" && folder === "" ? RESERVED : null;
  const tar = kind === "file" ? tarOfFile(at, name, copied) : tarOfFolder(at, name, { skipped, copied });
  await files.unpack({ root: to.root, path: folder }, tar);
}

async function copyHere(copy: Copy, from: RemotePlace, given: string): Promise<void> {
  const { context, files, copied, signal } = copy;
  const kind = await kindThere(copy, from);
  const at = path.resolve(context.io.cwd, given);
  const name = from.path === "" ? from.root : path.posix.basename(from.path);
  const to = { path: at, ...meaningOf(given) };
  const { folder, name: below } = landing({ kind, name, meaning: from }, to, await kindHere(at));
  const { extractTar, writeWhole } = await import("../tar-extract.ts");
  if (kind === "folder") {
    const into = path.join(folder, below);
    // A symlink that an earlier copy made would lead this one elsewhere; one that the person named is theirs.
    if (below !== "" && (await lstat(into).catch(() => null))?.isSymbolicLink())
      throw new AppError({
        code: "conflict",
        message: `In the place of ${into} there is a symlink already.`,
      });
    await mkdir(into, { recursive: true });
    await extractTar(await files.tar(from), into, { copied, signal });
    return;
  }
  await mkdir(folder, { recursive: true });
  const entry = await files.entry(from);
  await writeWhole(path.join(folder, below), await files.read(from), {
    executable: ((entry?.mode ?? 0) & 0o100) !== 0,
    modified_at: entry === null ? null : new Date(entry.modified_at),
    copied,
  });
}

/** A file as it is; a folder as a tar, for another program. */
async function copyToStream(copy: Copy, from: RemotePlace): Promise<void> {
  const { io } = copy.context;
  const kind = await kindThere(copy, from);
  if (kind === "folder" && io.terminal.stdout)
    throw usage("A folder goes to standard output as a tar, which is nothing for a terminal.");
  for await (const chunk of await (kind === "folder" ? copy.files.tar(from) : copy.files.read(from))) {
    await write(io.stdout, chunk);
    // Who read it is gone, and needs no more.
    if (io.stdout.destroyed) return;
  }
}

async function copyFromStream({ context, files, copied }: Copy, to: RemotePlace): Promise<void> {
  if (to.folder) throw usage("Standard input becomes a file: give it a name, as last:input.txt.");
  async function* content(): AsyncGenerator<Uint8Array> {
    for await (const chunk of context.io.stdin as AsyncIterable<Buffer | string>) {
      const bytes = Buffer.from(chunk);
      copied.move(bytes.length);
      yield bytes;
    }
  }
  await files.write(to, content());
  copied.files = 1;
}

/**
 * Where something lands: the folder, and the name in it, "" for the content of a folder. A folder that is there takes it under its own name; what
 * is not there becomes the copy itself. Throws `usage` where a folder would take the place of a file, or a file that of a folder.
 */
function landing(
  source: { kind: Kind; name: string; meaning: Meaning },
  to: { path: string } & Meaning,
  there: Kind,
): { folder: string; name: string } {
  const is_folder = source.kind === "folder";
  if (there === "file" && (is_folder || to.folder)) throw usage(`${to.path} is no folder.`);
  if (is_folder && (source.meaning.content || there === "missing")) return { folder: to.path, name: "" };
  if (there === "folder" || to.folder) return { folder: to.path, name: source.name };
  const folder = path.posix.dirname(to.path);
  return { folder: folder === "." ? "" : folder, name: path.posix.basename(to.path) };
}

async function kindThere({ files }: Copy, from: RemotePlace): Promise<"file" | "folder"> {
  const kind = await files.kind(from);
  if (kind === "folder" || (kind === "file" && !from.folder)) return kind;
  const what = kind === "file" ? "folder" : "file or folder";
  const where = from.root === "home" ? "home folder" : "workspace";
  throw new AppError({
    code: "not_found",
    message: `There is no ${what} '${from.path}' in the job's ${where}.`,
  });
}

async function kindHere(at: string): Promise<Kind> {
  const found = await stat(at).catch(() => null);
  if (found?.isDirectory()) return "folder";
  return found?.isFile() ? "file" : "missing";
}

function summary({ files, size_bytes, notes, left_out }: Copied, to: string): string[] {
  const lines = notes.map((note) => `! ${plainLine(note)}`);
  if (left_out > notes.length) lines.push(`! and ${left_out - notes.length} more were left out`);
  return [...lines, `${plural(files, "file")}, ${formatSize(size_bytes)} copied to ${plainLine(to)}`];
}

function notBetween(source: CopyPlace): AppError {
  return usage(
    source.kind === "job"
      ? "Both are in a job: files are copied between a job and this machine."
      : "Neither is in a job: write ID:PATH, or last:PATH, for a place in one.",
  );
}

function usage(message: string): AppError {
  return new AppError({ code: "usage", message, hint: "As in `sealwork cp data.csv last:input/`." });
}
