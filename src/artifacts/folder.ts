import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, mkdir, opendir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { z } from "zod";
import { AppError } from "../contract/errors.ts";
import { JobId } from "../contract/job.ts";
import type {
  ArchiveFormat,
  Artifact,
  Artifacts,
  OwnFile,
  PackedFile,
  UploadPart,
} from "../core/artifacts.ts";
import { Blobs, isMissing, openExisting } from "./blobs.ts";
import { NewFile, openWorkbench, publish, writeNewFile } from "./durable-file.ts";
import { PatchMaker } from "./patch.ts";
import { safeArchive } from "./safe-archive.ts";
import { packUpload } from "./upload.ts";
import { packOwnFile, packWorkspace } from "./zip.ts";
import { openZipFolder } from "./zip-folder.ts";
import { listFolder, readFile as readZipFile } from "./zip-reading.ts";
import { ZipWriter } from "./zip-writer.ts";

const UPLOAD = "upload.tar";
/** Names the files of the newest complete ZIP: replacing this one file is what makes a new ZIP visible, all of it at once. */
const ARTIFACT = "artifact.json";
/** Beside the jobs, on the same file system; emptied at start. */
const UNFINISHED = "unfinished";

const ArtifactFile = z.object({
  size_bytes: z.int(),
  sha256: z.string(),
  files: z.int(),
  left_out: z.int(),
  zip: z.string().regex(/^result-[0-9a-f]{64}\.zip$/),
  patch: z
    .string()
    .regex(/^changes-[0-9a-f]{64}\.patch$/)
    .nullable(),
});
type ArtifactFile = z.infer<typeof ArtifactFile>;

/**
 * Artifacts in a folder: `<folder>/<job_id>/{upload.tar, artifact.json, result-<sha256>.zip, changes-<sha256>.patch, blobs/<sha256>}`.
 * What is being written lies in `<folder>/unfinished/` and moves to its place when it is on the disk; leftovers of a process that was killed
 * are removed here, so one process at a time may use a folder. Job ids that are no UUIDs throw AppError `invalid_id`.
 */
export async function openFolderArtifacts({ folder }: { folder: string }): Promise<Artifacts> {
  const unfinished = join(folder, UNFINISHED);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  return new FolderArtifacts(folder, unfinished);
}

class FolderArtifacts implements Artifacts {
  readonly #folder: string;
  readonly #unfinished: string;
  readonly #blobs: Blobs;

  constructor(folder: string, unfinished: string) {
    this.#folder = folder;
    this.#unfinished = unfinished;
    this.#blobs = new Blobs(unfinished);
  }

  async saveUpload(job_id: string, parts: AsyncIterable<UploadPart>, signal: AbortSignal) {
    const job = this.#jobFolder(job_id);
    await using bench = await openWorkbench(this.#unfinished);
    const tar = join(bench.path, UPLOAD);
    const totals = await packUpload(parts, tar, bench.path, signal);
    signal.throwIfAborted();
    await publish(tar, join(job, UPLOAD));
    return totals;
  }

  async openUpload(job_id: string): Promise<Readable | null> {
    const handle = await openExisting(join(this.#jobFolder(job_id), UPLOAD));
    return handle?.createReadStream() ?? null;
  }

  async copyUpload(from_job_id: string, job_id: string): Promise<boolean> {
    const from = join(this.#jobFolder(from_job_id), UPLOAD);
    const to = join(this.#jobFolder(job_id), UPLOAD);
    await using bench = await openWorkbench(this.#unfinished);
    const copy = join(bench.path, UPLOAD);
    try {
      // The upload is never changed after it is complete, so both jobs can share its bytes where the file system has hard links.
      await link(from, copy).catch((error: unknown) => {
        if (isMissing(error)) throw error;
        return copyFile(from, copy);
      });
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    await publish(copy, to);
    return true;
  }

  async writeZip(
    job_id: string,
    workspace: Readable | null,
    own: (packed: { files: AsyncIterable<PackedFile>; left_out: number }) => Promise<OwnFile[]> | OwnFile[],
    options: { patch: boolean },
    signal: AbortSignal,
  ): Promise<Artifact> {
    // It may break before it is read, and whoever reads it then hears of it.
    workspace?.on("error", () => undefined);
    try {
      return await this.#writeZip(job_id, workspace, own, options, signal);
    } catch (error) {
      workspace?.destroy();
      signal.throwIfAborted();
      throw error;
    }
  }

  async #writeZip(
    ...[job_id, workspace, own, options, signal]: Parameters<Artifacts["writeZip"]>
  ): Promise<Artifact> {
    const job = this.#jobFolder(job_id);
    await using bench = await openWorkbench(this.#unfinished);
    await using file = await NewFile.create(join(bench.path, "zip"));
    await using directory = await NewFile.create(join(bench.path, "directory"));
    await using list = await NewFile.create(join(bench.path, "list"));
    const sum = createHash("sha256");
    let size_bytes = 0;
    const zip = new ZipWriter(async (chunk) => {
      signal.throwIfAborted();
      sum.update(chunk);
      size_bytes += chunk.length;
      await file.write(chunk);
    }, directory);
    const counts = { files: 0, left_out: 0 };
    const patch_path = join(bench.path, "patch");
    const with_patch = options.patch && workspace !== null;
    if (with_patch) {
      await using patch = await PatchMaker.start(bench.path, await this.openUpload(job_id), signal);
      Object.assign(counts, await packWorkspace(workspace, { zip, list, patch, signal }));
      await patch.finish(patch_path);
      await packOwnFile("changes.patch", createReadStream(patch_path), { zip, list, signal });
      counts.files += 1;
    } else if (workspace !== null)
      Object.assign(counts, await packWorkspace(workspace, { zip, list, patch: null, signal }));
    await list.flush();
    const packed = { files: readList(list.path), left_out: counts.left_out };
    for (const { name, content } of await own(packed)) {
      // Before each, because the manifest is one of them and lists all that came before it.
      await list.flush();
      await packOwnFile(name, content(), { zip, list, signal });
      counts.files += 1;
    }
    await zip.finish();
    await file.finish();
    signal.throwIfAborted();
    const artifact = { size_bytes, sha256: sum.digest("hex"), ...counts };
    await this.#publishZip(job, artifact, {
      zip: file.path,
      patch: with_patch ? patch_path : null,
      bench: bench.path,
    });
    return artifact;
  }

  async openZip(job_id: string) {
    const artifact = await this.#artifact(job_id);
    if (artifact === null) return null;
    const path = join(this.#jobFolder(job_id), artifact.zip);
    const { size_bytes, sha256 } = artifact;
    return {
      size_bytes,
      sha256,
      open: (range: { start: number; end: number } | null) => createReadStream(path, range ?? {}),
    };
  }

  async openPatch(job_id: string): Promise<Readable | null> {
    const artifact = await this.#artifact(job_id);
    if (artifact === null || artifact.patch === null) return null;
    const handle = await openExisting(join(this.#jobFolder(job_id), artifact.patch));
    return handle?.createReadStream() ?? null;
  }

  async listZip(job_id: string, path: string) {
    return await listFolder(await this.#zipPath(job_id), path);
  }

  async readZip(job_id: string, path: string, range: { start: number; end: number } | null) {
    return await readZipFile(await this.#zipPath(job_id), path, range);
  }

  async openZipFolder(job_id: string, path: string, signal: AbortSignal): Promise<Readable> {
    return await openZipFolder(await this.#zipPath(job_id), path, signal);
  }

  safeArchive(tar: Readable, format: ArchiveFormat, signal: AbortSignal): Readable {
    return safeArchive(tar, format, { unfinished: this.#unfinished, signal });
  }

  async saveBlob(job_id: string, sha256: string, content: Buffer): Promise<void> {
    await this.#blobs.save(this.#jobFolder(job_id), sha256, content);
  }

  async openBlob(job_id: string, sha256: string) {
    return await this.#blobs.open(this.#jobFolder(job_id), sha256);
  }

  async remove(job_id: string): Promise<void> {
    const job = this.#jobFolder(job_id);
    this.#blobs.forget(job);
    await rm(job, { recursive: true, force: true });
  }

  async *list(): AsyncGenerator<string> {
    for await (const entry of await opendir(this.#folder))
      if (entry.isDirectory() && JobId.safeParse(entry.name).success) yield entry.name;
  }

  #jobFolder(job_id: string): string {
    if (JobId.safeParse(job_id).success) return join(this.#folder, job_id);
    throw new AppError({ code: "invalid_id", message: "The id of the job is not a UUID." });
  }

  async #publishZip(
    job: string,
    artifact: Artifact,
    from: { zip: string; patch: string | null; bench: string },
  ): Promise<void> {
    const named: ArtifactFile = { ...artifact, zip: `result-${artifact.sha256}.zip`, patch: null };
    if (from.patch !== null) {
      const sum = createHash("sha256");
      for await (const chunk of createReadStream(from.patch)) sum.update(chunk);
      named.patch = `changes-${sum.digest("hex")}.patch`;
      await publish(from.patch, join(job, named.patch));
    }
    await publish(from.zip, join(job, named.zip));
    const sidecar = join(from.bench, ARTIFACT);
    await writeNewFile(sidecar, [Buffer.from(JSON.stringify(named))]);
    await publish(sidecar, join(job, ARTIFACT));
    for (const name of await readdir(job)) {
      const replaced = /^(result|changes)-/.test(name) && name !== named.zip && name !== named.patch;
      if (replaced) await rm(join(job, name), { force: true });
    }
  }

  async #artifact(job_id: string): Promise<ArtifactFile | null> {
    try {
      return ArtifactFile.parse(JSON.parse(await readFile(join(this.#jobFolder(job_id), ARTIFACT), "utf8")));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async #zipPath(job_id: string): Promise<string> {
    const artifact = await this.#artifact(job_id);
    if (artifact !== null) return join(this.#jobFolder(job_id), artifact.zip);
    throw new AppError({ code: "not_found", message: `The job ${job_id} has no ZIP.` });
  }
}

/** Only a line feed ends a line here: names may hold other characters that some readers take for line ends. */
async function* readList(path: string): AsyncGenerator<PackedFile> {
  let rest = "";
  for await (const text of createReadStream(path, { encoding: "utf8" })) {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const file: PackedFile = JSON.parse(line);
      yield file;
    }
  }
}
