import type { Stats } from "node:fs";
import { lstat, opendir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 1_000;
/** Even when the file system's free space does not fall (others may free what this job takes), it is measured this often. */
const MEASURE_EVERY_MS = 30_000;
/** Measuring takes at most this share of the time, unless free space fell. */
const MEASURE_SHARE = 0.1;
/** A fall of free space by more than this share of what is left of the limit triggers a measurement. */
const FALL_SHARE = 0.25;
/** What people send up to this share of what is left needs no measurement: the rest is for what the job itself writes before it is measured. */
const SENT_SHARE = 1 - FALL_SHARE;
const LSTATS_AT_ONCE = 32;
/** Files counted in one measurement: a tree of more is over every sane limit of inodes. */
const ENTRIES_MAX = 5_000_000;
const HARD_LINKS_MAX = 200_000;
/** What people send never takes a job over its limit: what a measurement finds beyond what was counted fits into this. */
const KEPT_FREE_BYTES = 1024 * 1024;
/** Less free space than this is a full disk. */
const FULL_BELOW_BYTES = 64 * 1024;

/** Watches what a job's volume holds against its limit, mostly by the file system's free space, which costs nothing to ask. */
export class DiskWatch implements AsyncDisposable {
  readonly #folder: string;
  readonly #limit_bytes: number;
  readonly #over: (used_bytes: number) => void;
  readonly #ending = new AbortController();
  readonly #watching: Promise<void>;
  #used_bytes: number | null = null;
  /** What people have sent since the last measurement, or while it went on, by what takes it. */
  #sent = new Map<object, number>();
  #sent_bytes = 0;
  #measuring: Promise<void> | null = null;

  /** `over` is called once, with the bytes in use, when they are more than the limit. */
  constructor(options: { folder: string; limit_bytes: number; over: (used_bytes: number) => void }) {
    this.#folder = options.folder;
    this.#limit_bytes = options.limit_bytes;
    this.#over = options.over;
    this.#watching = this.#watch();
  }

  /** The last measurement; null before the first. */
  get used_bytes(): number | null {
    return this.#used_bytes;
  }

  /**
   * Counts bytes that are about to be written for a person; false, and not counted, when they come too near to the limit. Nobody is refused
   * for what may have been removed since it was measured. `by` is what `give` knows them by.
   */
  async take(bytes: number, by: object): Promise<boolean> {
    // A measurement that goes on already may have seen what has been removed since.
    for (let measured = 0; !this.#fits(bytes, measured === 0 ? SENT_SHARE : 1); measured += 1) {
      if (measured === 2 || this.#ending.signal.aborted) return false;
      await this.#measure();
    }
    this.#count(by, bytes);
    return true;
  }

  /** Takes back what was counted and has not come to stay; what was measured since is measured again when there is need. */
  give(by: object): void {
    this.#count(by, -(this.#sent.get(by) ?? 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#watching;
  }

  #count(by: object, bytes: number): void {
    const sent_bytes = (this.#sent.get(by) ?? 0) + bytes;
    if (sent_bytes > 0) this.#sent.set(by, sent_bytes);
    else this.#sent.delete(by);
    this.#sent_bytes += bytes;
  }

  /** Whether so many bytes are within that share of what the last measurement has left of the limit, with all that was sent since. */
  #fits(bytes: number, share: number): boolean {
    if (this.#used_bytes === null) return false;
    const left = this.#limit_bytes - KEPT_FREE_BYTES - this.#used_bytes;
    return this.#sent_bytes + bytes <= left * share;
  }

  /** One at a time. */
  async #measure(): Promise<void> {
    this.#measuring ??= this.#measureAnew().finally(() => {
      this.#measuring = null;
    });
    await this.#measuring;
  }

  async #measureAnew(): Promise<void> {
    const sent_before = [...this.#sent];
    this.#used_bytes = await diskUsage(this.#folder, this.#ending.signal);
    for (const [by, bytes] of sent_before) this.#count(by, -Math.min(bytes, this.#sent.get(by) ?? 0));
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ending;
    let free_then = 0;
    let next_at = 0;
    while (!signal.aborted) {
      const free = await freeBytes(this.#folder);
      const left = this.#limit_bytes - (this.#used_bytes ?? 0);
      const fell = free_then - free > left * FALL_SHARE;
      if (this.#used_bytes === null || fell || performance.now() >= next_at) {
        const begun = performance.now();
        await this.#measure();
        const took_ms = performance.now() - begun;
        next_at = performance.now() + Math.max(MEASURE_EVERY_MS, took_ms / MEASURE_SHARE);
        // The free space of before the measurement: what was written meanwhile may not have been seen.
        free_then = free;
      }
      if (this.#used_bytes !== null && this.#used_bytes > this.#limit_bytes && !signal.aborted) {
        this.#over(this.#used_bytes);
        return;
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** True when the file system that holds `folder` has no space left. */
export async function isDiskFull(folder: string): Promise<boolean> {
  return (await freeBytes(folder)) < FULL_BELOW_BYTES;
}

/** Bytes of the blocks that the tree below `folder` takes, a file with several names once. Ends early, with less, when `signal` aborts. */
export async function diskUsage(folder: string, signal: AbortSignal): Promise<number> {
  const linked = new Set<number>();
  const folders = [folder];
  let bytes = 0;
  let entries = 0;
  const add = (stats: Stats | null): void => {
    if (stats === null) return;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      if (linked.has(stats.ino)) return;
      if (linked.size < HARD_LINKS_MAX) linked.add(stats.ino);
    }
    bytes += stats.blocks * 512;
  };
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    let batch: string[] = [];
    for await (const entry of entriesOf(next)) {
      if (signal.aborted || ++entries > ENTRIES_MAX) return bytes;
      const path = join(next, entry.name);
      if (entry.isDirectory()) folders.push(path);
      batch.push(path);
      if (batch.length < LSTATS_AT_ONCE) continue;
      for (const stats of await Promise.all(batch.map(statOf))) add(stats);
      batch = [];
    }
    for (const stats of await Promise.all(batch.map(statOf))) add(stats);
  }
  return bytes;
}

/** Nothing for a folder that has gone or cannot be read: the tools of the job change the tree all the time. */
async function* entriesOf(folder: string) {
  try {
    yield* await opendir(folder);
  } catch {
    return;
  }
}

async function statOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch {
    return null;
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
