import type { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import type { FileList, FilesUnpacked, FileWritten } from "../contract/link-answers.ts";
import type { FileChange } from "../contract/surfaces.ts";
import type { ArchiveFormat, Artifacts } from "./artifacts.ts";
import type { Clock } from "./clock.ts";
import { type JobSurfaces, surfacesEnded } from "./job-surfaces.ts";
import { isAtWork } from "./lifecycle.ts";
import type { FilePlace, SandboxLink } from "./link.ts";
import { bounded } from "./packing.ts";
import type { JobRecord } from "./store.ts";

export type ByteRange = { start: number; end: number };

/** A person who sends something large is at work for as long as it takes. */
const TOUCH_EVERY_MS = 30_000;

/**
 * The files of one job: in its sandbox, and from its ZIP once it has ended. Every method throws AppError `not_found` and `invalid_path` as the
 * place deserves, `link_lost` when the sandbox does not answer at the moment, and what changes something `conflict` when the job does not
 * work (yet, or any more) and `disk_full`.
 */
export interface JobFiles {
  list(place: FilePlace, signal: AbortSignal): Promise<FileList>;
  read(
    place: FilePlace,
    range: ByteRange | null,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; content: Readable }>;
  /** A folder (what is in it) or a file (itself), safe to unpack: as Artifacts.safeArchive says. */
  archive(place: FilePlace, format: ArchiveFormat, signal: AbortSignal): Promise<Readable>;
  /** As SandboxLink.write says. */
  write(
    place: FilePlace,
    content: Readable,
    options: { only_new: boolean },
    signal: AbortSignal,
  ): Promise<FileWritten>;
  /** As SandboxLink.unpack says. */
  unpack(place: FilePlace, tar: Readable, signal: AbortSignal): Promise<FilesUnpacked>;
  change(change: FileChange, signal: AbortSignal): Promise<void>;
}

/** What of a run its files need; `link` is the living one, null while there is none. */
type Run = { readonly link: SandboxLink | null; readonly surfaces: JobSurfaces };
type Needs = { artifacts: Artifacts; clock: Clock };

/** The files of a job as it is now. `run` is null for a job that nobody carries out. */
export function filesOf(record: JobRecord, run: Run | null, needs: Needs): JobFiles {
  if (record.state.phase === "ended") return new KeptFiles(record.job_id, needs.artifacts);
  return new LiveFiles(record, run, needs);
}

class LiveFiles implements JobFiles {
  readonly #record: JobRecord;
  readonly #run: Run | null;
  readonly #needs: Needs;

  constructor(record: JobRecord, run: Run | null, needs: Needs) {
    this.#record = record;
    this.#run = run;
    this.#needs = needs;
  }

  async list(place: FilePlace, signal: AbortSignal): Promise<FileList> {
    return this.#link().list(place, signal);
  }

  async read(place: FilePlace, range: ByteRange | null, signal: AbortSignal) {
    const file = await this.#link().read(place, range, signal);
    this.#touchedBy(file.content);
    return file;
  }

  async archive(place: FilePlace, format: ArchiveFormat, signal: AbortSignal): Promise<Readable> {
    const tar = bounded(await this.#link().archive(place, signal), this.#record);
    const archive = await this.#needs.artifacts.safeArchive(tar, format, signal);
    this.#touchedBy(archive);
    return archive;
  }

  write(
    place: FilePlace,
    content: Readable,
    options: { only_new: boolean },
    signal: AbortSignal,
  ): Promise<FileWritten> {
    return this.#atWork(signal, (link, until) => link.write(place, content, options, until));
  }

  unpack(place: FilePlace, tar: Readable, signal: AbortSignal): Promise<FilesUnpacked> {
    return this.#atWork(signal, (link, until) => link.unpack(place, tar, until));
  }

  change(change: FileChange, signal: AbortSignal): Promise<void> {
    return this.#atWork(signal, (link, until) => link.change(change, until));
  }

  /** Does something for a person at work, which ends when the job is ending: what it leaves must be whole when it is packed. */
  async #atWork<T>(
    signal: AbortSignal,
    work: (link: SandboxLink, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const surfaces = this.#run?.surfaces;
    surfaces?.ended.throwIfAborted();
    if (surfaces === undefined || !isAtWork(this.#record.state)) throw this.#notYet();
    const link = this.#link();
    surfaces.touch();
    const done = new AbortController();
    const until = AbortSignal.any([signal, surfaces.ended]);
    void this.#keepTouching(surfaces, AbortSignal.any([done.signal, until]));
    try {
      return await work(link, until);
    } finally {
      done.abort();
    }
  }

  /** Who fetches something is at work until it has come, and the job stays open for as long. */
  #touchedBy(content: Readable): void {
    const surfaces = this.#run?.surfaces;
    if (surfaces === undefined || content.closed) return;
    surfaces.touch();
    const done = new AbortController();
    content.once("close", () => done.abort());
    void this.#keepTouching(surfaces, AbortSignal.any([done.signal, surfaces.ended]));
  }

  async #keepTouching(surfaces: JobSurfaces, until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await this.#needs.clock.sleep(TOUCH_EVERY_MS, until).catch(() => undefined);
      if (!until.aborted) surfaces.touch();
    }
  }

  #link(): SandboxLink {
    const link = this.#run?.link ?? null;
    if (link !== null) return link;
    if (this.#record.state.status === "pending") throw this.#notYet();
    throw unlinked(this.#record.job_id);
  }

  #notYet(): AppError {
    const { job_id, state } = this.#record;
    return new AppError({
      code: "conflict",
      message: `Job ${job_id} has no files to work with yet: it is ${state.phase}.`,
      hint: "Try again in a moment.",
    });
  }
}

class KeptFiles implements JobFiles {
  readonly #job_id: string;
  readonly #artifacts: Artifacts;

  constructor(job_id: string, artifacts: Artifacts) {
    this.#job_id = job_id;
    this.#artifacts = artifacts;
  }

  async list(place: FilePlace): Promise<FileList> {
    return this.#artifacts.listZip(this.#job_id, this.#kept(place));
  }

  async read(place: FilePlace, range: ByteRange | null) {
    return this.#artifacts.readZip(this.#job_id, this.#kept(place), range);
  }

  async archive(place: FilePlace, format: ArchiveFormat, signal: AbortSignal): Promise<Readable> {
    const tar = await this.#artifacts.openZipFolder(this.#job_id, this.#kept(place), signal);
    return this.#artifacts.safeArchive(tar, format, signal);
  }

  async write(): Promise<never> {
    throw surfacesEnded(this.#job_id);
  }

  async unpack(): Promise<never> {
    throw surfacesEnded(this.#job_id);
  }

  async change(): Promise<never> {
    throw surfacesEnded(this.#job_id);
  }

  #kept({ root, path }: FilePlace): string {
    if (root === "workspace") return path;
    throw new AppError({
      code: "not_found",
      message: `Job ${this.#job_id} has ended, and of its files only the workspace was kept.`,
      hint: "Leave `root` out, or give `root=workspace`.",
    });
  }
}

export function unlinked(job_id: string): AppError {
  return new AppError({
    code: "link_lost",
    message: `The sandbox of job ${job_id} does not answer at the moment.`,
    hint: "Try again in a moment.",
  });
}
