import { type Dirent, type FSWatcher, type Stats, watch } from "node:fs";
import { lstat, opendir, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { RunnerEventBody } from "../../contract/event.ts";
import { cutToJsonBytes } from "../event-text.ts";

/** What a path is told of at most this often. */
const TELL_EVERY_MS = 1_000;
/** A change is looked at when it is this old: a step that tells it by itself has done so by then. */
const SETTLED_AFTER_MS = 300;
/** Folders that are watched; each is a watch of the kernel, of which the whole machine has a limited number. */
const FOLDERS_MAX = 1_000;
/** Files that are remembered, so that a new one is told from a changed one. */
const FILES_MAX = 20_000;
/** Changes that are told in one second; the others wait, as many as may. */
const TOLD_PER_TICK_MAX = 50;
const WAITING_MAX = 500;
/** Names of one folder that are looked at one by one in a second; beyond, the folder is read once instead, and not listened to meanwhile. */
const NAMES_PER_TICK_MAX = 200;
const TOLD_AHEAD_MAX = 1_000;
const PATH_MAX_BYTES = 4096;
const LSTATS_AT_ONCE = 32;

/** What tools make for themselves, in numbers, and nobody wants to be told of. */
const IGNORED = new Set([
  "node_modules",
  ".git",
  ".hg",
  ".svn",
  ".sealwork",
  "__pycache__",
  ".cache",
  ".venv",
  "venv",
  ".npm",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
  ".ipynb_checkpoints",
]);
const UNFINISHED = /^\.[0-9a-f]{16}\.unfinished$/;

type Change = Extract<RunnerEventBody, { type: "file.changed" }>["data"]["change"];
type Seen = { size_bytes: number; modified_ms: number; inode: number };
type Folder = {
  watcher: FSWatcher | null;
  files: Map<string, Seen>;
  folders: Set<string>;
  /** Names with the time at which they were first heard of since they were looked at. */
  heard: Map<string, number>;
  /** More was heard than is looked at one by one. */
  all: boolean;
};
type Options = {
  workspace: string;
  /** Files that have changed since then (ms since 1970) when the watch begins are told as created. */
  since_ms: number;
  /** Paths that somebody else has told already. */
  told?: ReadonlySet<string>;
  emit: (body: RunnerEventBody) => Promise<void>;
};

/**
 * Watches the folders of a workspace, each by itself: the platform's recursive watch takes one of the kernel's watches for every single file.
 * What is heard is only a hint, and what is told is the difference to what was seen before; so a flood of changes, and a watch that
 * missed some, cost neither events nor truth. Beyond its bounds it says so once, as `limit.reached`.
 */
export class FileWatch implements AsyncDisposable {
  readonly #root: string;
  readonly #options: Options;
  readonly #folders = new Map<string, Folder>();
  #files = 0;
  /** Paths that were told in folders that are not known yet. */
  readonly #told_ahead: Set<string>;
  #changes = new Map<string, { change: Change; size_bytes: number }>();
  #timer: NodeJS.Timeout | null = null;
  #telling: Promise<void> = Promise.resolve();
  #limit_said = false;
  #over = false;
  #closed = false;

  private constructor(root: string, options: Options) {
    this.#root = root;
    this.#options = options;
    this.#told_ahead = new Set(options.told);
  }

  static async open(options: Options): Promise<FileWatch> {
    const files = new FileWatch(await realpath(options.workspace), options);
    await files.#addFolder("", (stat) => stat.ctimeMs >= options.since_ms);
    files.#schedule();
    return files;
  }

  /** Somebody else tells of this path (relative to the workspace) as it is now. */
  told(path: string): void {
    const { folder, name } = split(path);
    const known = this.#folders.get(folder);
    known?.heard.delete(name);
    this.#changes.delete(path);
    if (known === undefined) {
      if (this.#told_ahead.size < TOLD_AHEAD_MAX) this.#told_ahead.add(path);
      return;
    }
    lstat(join(this.#root, path)).then(
      (stat) => this.#remember(known, name, stat),
      () => this.#forget(known, name),
    );
  }

  /** Looks at everything that is known and tells what has changed. */
  async tellAll(): Promise<void> {
    await this.#telling;
    for (const folder of this.#folders.values()) folder.all = true;
    this.#telling = this.#tell(0, WAITING_MAX);
    await this.#telling;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { watcher } of this.#folders.values()) watcher?.close();
    await this.#telling;
  }

  /** Takes a folder in, with all below it; files that `is_new` says yes to are told. */
  async #addFolder(path: string, is_new: (stat: Stats) => boolean): Promise<void> {
    const open_paths = [path];
    for (let next = open_paths.pop(); next !== undefined; next = open_paths.pop()) {
      if (this.#closed || this.#folders.has(next)) continue;
      if (this.#folders.size >= FOLDERS_MAX) {
        this.#over = true;
        return;
      }
      const folder: Folder = {
        watcher: null,
        files: new Map(),
        folders: new Set(),
        heard: new Map(),
        all: false,
      };
      this.#folders.set(next, folder);
      // It listens before it is read: what comes between is heard.
      this.#listen(next, folder);
      for await (const [name, stat] of this.#entriesOf(next)) {
        const below = inside(next, name);
        if (stat.isDirectory()) {
          folder.folders.add(name);
          open_paths.push(below);
        } else if (stat.isFile() && this.#remember(folder, name, stat)) {
          if (this.#told_ahead.delete(below) || !is_new(stat)) continue;
          this.#changes.set(below, { change: "created", size_bytes: stat.size });
        }
      }
    }
  }

  #listen(path: string, folder: Folder): void {
    if (this.#closed || folder.watcher !== null) return;
    try {
      folder.watcher = watch(join(this.#root, path), { persistent: false }, (_event, name) => {
        if (name === null || isIgnored(name)) return;
        if (!folder.heard.has(name)) folder.heard.set(name, performance.now());
        if (folder.heard.size > NAMES_PER_TICK_MAX) this.#rest(folder);
        this.#schedule();
      });
      folder.watcher.on("error", () => this.#rest(folder));
    } catch {
      // The folder has gone, or the machine has no watch left.
      this.#over = true;
    }
  }

  /** Stops listening until the folder was read. */
  #rest(folder: Folder): void {
    folder.watcher?.close();
    folder.watcher = null;
    folder.all = true;
    folder.heard.clear();
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#telling = this.#tell(SETTLED_AFTER_MS, TOLD_PER_TICK_MAX).finally(() => {
        this.#timer = null;
        const heard = this.#folders.values().some(({ heard, all }) => all || heard.size > 0);
        if (heard || this.#changes.size > 0) this.#schedule();
      });
      // The job hears of it when it emits the next time.
      this.#telling.catch(() => undefined);
    }, TELL_EVERY_MS);
    this.#timer.unref();
  }

  async #tell(settled_after_ms: number, told_max: number): Promise<void> {
    const settled = performance.now() - settled_after_ms;
    for (const [path, folder] of [...this.#folders]) {
      if (folder.all) await this.#readAgain(path, folder);
      else
        for (const [name, at] of [...folder.heard]) {
          if (at > settled) continue;
          folder.heard.delete(name);
          const stat = await lstat(join(this.#root, path, name)).catch(() => null);
          await this.#look({ path, folder }, name, stat);
        }
    }
    const waiting = [...this.#changes];
    this.#changes = new Map(waiting.slice(told_max, told_max + WAITING_MAX));
    for (const [path, { change, size_bytes }] of waiting.slice(0, told_max)) {
      const told = cutToJsonBytes(path, PATH_MAX_BYTES);
      const data = { path: told, change, size_bytes, blob: null, diff: null, diff_blob: null };
      await this.#options.emit({ type: "file.changed", data });
    }
    if (this.#over || waiting.length > told_max + WAITING_MAX) await this.#sayLimit();
  }

  async #readAgain(path: string, folder: Folder): Promise<void> {
    folder.all = false;
    folder.heard.clear();
    this.#listen(path, folder);
    const there = new Set<string>();
    for await (const [name, stat] of this.#entriesOf(path)) {
      there.add(name);
      await this.#look({ path, folder }, name, stat);
    }
    for (const name of [...folder.files.keys(), ...folder.folders])
      if (!there.has(name)) await this.#look({ path, folder }, name, null);
  }

  /** Compares what is there under a name with what was seen of it before. */
  async #look(
    { path, folder }: { path: string; folder: Folder },
    name: string,
    stat: Stats | null,
  ): Promise<void> {
    const below = inside(path, name);
    if (folder.folders.has(name) && stat?.isDirectory() !== true) this.#dropFolder(path, name);
    if (stat?.isDirectory() && !folder.folders.has(name)) {
      folder.folders.add(name);
      await this.#addFolder(below, () => true);
    }
    const before = folder.files.get(name);
    if (stat?.isFile()) {
      const same =
        before !== undefined &&
        before.size_bytes === stat.size &&
        before.modified_ms === stat.mtimeMs &&
        before.inode === stat.ino;
      if (same || !this.#remember(folder, name, stat)) return;
      const change = before === undefined ? "created" : "modified";
      // One that was not told to be new yet still is.
      const untold = this.#changes.get(below)?.change === "created";
      this.#changes.set(below, { change: untold ? "created" : change, size_bytes: stat.size });
    } else if (before !== undefined) {
      this.#forget(folder, name);
      this.#changes.set(below, { change: "deleted", size_bytes: 0 });
    }
  }

  #dropFolder(path: string, name: string): void {
    this.#folders.get(path)?.folders.delete(name);
    const below = inside(path, name);
    for (const [other, folder] of [...this.#folders]) {
      if (other !== below && !other.startsWith(`${below}/`)) continue;
      folder.watcher?.close();
      this.#folders.delete(other);
      this.#files -= folder.files.size;
      for (const file of folder.files.keys())
        this.#changes.set(inside(other, file), { change: "deleted", size_bytes: 0 });
    }
  }

  /** False when there are too many files already. */
  #remember(folder: Folder, name: string, stat: Stats): boolean {
    if (!folder.files.has(name)) {
      if (this.#files >= FILES_MAX) {
        this.#over = true;
        return false;
      }
      this.#files += 1;
    }
    folder.files.set(name, { size_bytes: stat.size, modified_ms: stat.mtimeMs, inode: stat.ino });
    return true;
  }

  #forget(folder: Folder, name: string): void {
    if (folder.files.delete(name)) this.#files -= 1;
  }

  async *#entriesOf(path: string): AsyncGenerator<[string, Stats]> {
    const absolute = join(this.#root, path);
    let batch: string[] = [];
    let seen = 0;
    try {
      for await (const { name } of (await opendir(absolute)) as AsyncIterable<Dirent>) {
        if (isIgnored(name)) continue;
        if (++seen > FILES_MAX) {
          this.#over = true;
          break;
        }
        batch.push(name);
        if (batch.length < LSTATS_AT_ONCE) continue;
        yield* await statsOf(absolute, batch);
        batch = [];
      }
    } catch {
      // It has gone: the folder above it says so.
    }
    yield* await statsOf(absolute, batch);
  }

  async #sayLimit(): Promise<void> {
    if (this.#limit_said) return;
    this.#limit_said = true;
    const message = `More files change in the workspace than are told one by one: at most ${TOLD_PER_TICK_MAX} a second, in ${FOLDERS_MAX} folders with ${FILES_MAX} files. The job goes on, and its files are all there.`;
    const data = { limit: "files" as const, message, limit_value: TOLD_PER_TICK_MAX, value: null };
    await this.#options.emit({ type: "limit.reached", data });
  }
}

async function statsOf(folder: string, names: string[]): Promise<[string, Stats][]> {
  const stats = await Promise.all(names.map((name) => lstat(join(folder, name)).catch(() => null)));
  return names.flatMap((name, index) => {
    const stat = stats[index] ?? null;
    return stat === null ? [] : [[name, stat] as [string, Stats]];
  });
}

function isIgnored(name: string): boolean {
  return IGNORED.has(name) || UNFINISHED.test(name);
}

function inside(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function split(path: string): { folder: string; name: string } {
  const end = path.lastIndexOf("/");
  return { folder: path.slice(0, Math.max(0, end)), name: path.slice(end + 1) };
}
