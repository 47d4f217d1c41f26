import { readdirSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** Where owners are looked for: the limit on processes of a job is below, and one with more open files is passed over half way. */
const PROCESSES_MAX = 4_096;
const FILES_MAX = 4_096;
/** A sandbox with very many processes and files would otherwise be searched for longer than anybody waits for a name. */
const SEARCH_MAX_MS = 300;
/** A command line is read from the memory of its process, which may be slow to give it; then the program's name has to do. */
const COMMAND_WAIT_MS = 100;
/** Of a command line, enough to recognise it by, and rarely enough for a password in it. */
const WORDS_SHOWN = 4;
const NAME_MAX_CHARS = 80;

export type SocketOwner = { pid: number; process: string };

/**
 * Who has these sockets open, as far as it can be seen in SEARCH_MAX_MS, by inode.
 * A child that inherited one counts less than its parent. The kernel knows by itself what files are open, so it is asked synchronously, one
 * process at a turn.
 */
export async function socketOwners(inodes: ReadonlySet<string>): Promise<Map<string, SocketOwner>> {
  const owners = new Map<string, SocketOwner>();
  const until_ms = performance.now() + SEARCH_MAX_MS;
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  for (const pid of pids.sort((a, b) => a - b).slice(0, PROCESSES_MAX)) {
    if (owners.size === inodes.size || performance.now() > until_ms) break;
    for (const inode of socketsOf(pid, inodes)) {
      if (!owners.has(inode)) owners.set(inode, { pid, process: await nameOf(pid) });
    }
    await nextTurn();
  }
  return owners;
}

/** Which of the wanted sockets a process has open, by inode. One that ended meanwhile, or that may not be looked into, has none. */
export function socketsOf(pid: number, wanted: ReadonlySet<string>): string[] {
  const folder = `/proc/${pid}/fd`;
  const files = orNothing(() => readdirSync(folder), []);
  const found: string[] = [];
  for (const file of files.slice(0, FILES_MAX)) {
    const target = orNothing(() => readlinkSync(`${folder}/${file}`), "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && wanted.has(inode)) found.push(inode);
  }
  return found;
}

/** The beginning of its command line, for people, else its program; empty where neither can be read. */
export async function nameOf(pid: number): Promise<string> {
  const line = await Promise.race([
    readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
    sleep(COMMAND_WAIT_MS, "", { ref: false }),
  ]);
  const program = orNothing(() => readlinkSync(`/proc/${pid}/exe`), "");
  const words = (line === "" ? program : line).split("\0").slice(0, WORDS_SHOWN);
  const name = words.map((word) => (word.startsWith("/") ? basename(word) : word)).join(" ");
  return name
    .trim()
    .replace(/\p{Cc}/gu, "?")
    .slice(0, NAME_MAX_CHARS)
    .toWellFormed();
}

function orNothing<T>(read: () => T, nothing: T): T {
  try {
    return read();
  } catch {
    return nothing;
  }
}
