import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Holder } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";

const LOCK_FILE = "lock.db";
/** One JSON object, a `Holder`. The CLI reads this file by itself and asks the URL in it. */
const HOLDER_FILE = "holder.json";
/** Longer than a `readHolder` of another process, which holds a shared lock for a moment; shorter than anybody minds to wait. */
const LOCK_WAIT_MS = 200;
/** SQLite's primary result code for a lock that another connection has (https://sqlite.org/rescode.html#busy). */
const SQLITE_BUSY = 5;

export type StateLock = AsyncDisposable & {
  /** Says anew who holds the folder, e.g. once the port is known. */
  update(holder: Holder): void;
};

/**
 * Makes this process the one orchestrator of a state folder, which is created with mode 0700 when it is missing. Throws AppError
 * `state_locked`, whose message tells who has it. The lock is an exclusive transaction held open on an empty SQLite file: that is a
 * lock of the kernel (fcntl), which ends with its process however that ends, and which child processes do not inherit. It does not
 * reach across machines on every network file system.
 */
export async function lockState(folder: string, holder: Holder): Promise<StateLock> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, LOCK_FILE);
  createOnce(file);
  const database = new DatabaseSync(file, { timeout: LOCK_WAIT_MS });
  try {
    // Nothing is ever written, so there is nothing to undo: without this a journal would lie beside the file.
    database.exec("pragma journal_mode = memory");
    database.exec("begin exclusive");
    writeHolder(folder, holder);
  } catch (error) {
    database.close();
    throw isBusy(error) ? stateLocked(folder) : error;
  }
  return {
    update(changed) {
      assert(database.isOpen, "The state lock was released before this update.");
      writeHolder(folder, changed);
    },
    async [Symbol.asyncDispose]() {
      if (!database.isOpen) return;
      // In this order, so that a successor's file is never the one that is removed.
      rmSync(join(folder, HOLDER_FILE), { force: true });
      database.close();
    },
  };
}

/** Who holds a state folder; null when nobody does, whatever a killed process left in the file, or when the holder is just starting. */
export async function readHolder(folder: string): Promise<Holder | null> {
  return isLocked(folder) ? parseHolder(folder) : null;
}

/** SQLite itself would make the file readable by all. One that is there must not be opened here: closing it again would end the lock (POSIX). */
function createOnce(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function isLocked(folder: string): boolean {
  const file = join(folder, LOCK_FILE);
  if (!existsSync(file)) return false;
  const database = new DatabaseSync(file, { readOnly: true, timeout: 0 });
  try {
    // Any read takes a shared lock, which an exclusive transaction denies.
    database.prepare("select count(*) from sqlite_schema").get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    database.close();
  }
}

function isBusy(error: unknown): boolean {
  // The low byte is the primary code; the others tell kinds of it apart.
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}

function stateLocked(folder: string): AppError {
  const holder = parseHolder(folder);
  const who =
    holder === null
      ? "an orchestrator that is just starting"
      : `the orchestrator at ${holder.url} (pid ${holder.pid}, version ${holder.version})`;
  return new AppError({
    code: "state_locked",
    message: `The state folder ${folder} is held by ${who}.`,
    hint: "Use that one, stop it with `sealwork stop`, or give this one a folder of its own in SEALWORK_DATA.",
  });
}

function parseHolder(folder: string): Holder | null {
  try {
    const json: unknown = JSON.parse(readFileSync(join(folder, HOLDER_FILE), "utf8"));
    return Holder.safeParse(json).data ?? null;
  } catch (error) {
    if (hasCode(error, "ENOENT") || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Readers see the old file or the new one, never half of one. Only the holder of the lock writes, so one temporary name is enough. */
function writeHolder(folder: string, holder: Holder): void {
  const temporary = join(folder, `${HOLDER_FILE}.new`);
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, `${JSON.stringify(holder)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, join(folder, HOLDER_FILE));
}
