import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";

/** Where owners are looked for: the limit on processes of a job is below, and one with more open files is passed over half way. */
const PROCESSES_MAX = 4_096;
const FILES_MAX = 4_096;
/** Of a command line, enough to recognise it by, and rarely enough for a password in it. */
const WORDS_SHOWN = 4;
const NAME_MAX_CHARS = 80;

export type SocketOwner = { pid: number; process: string };

/** Who has these sockets open, as far as it can be seen, by inode. A child that inherited one counts less than its parent. */
export async function socketOwners(inodes: ReadonlySet<string>): Promise<Map<string, SocketOwner>> {
  const owners = new Map<string, SocketOwner>();
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids.sort((a, b) => a - b).slice(0, PROCESSES_MAX)) {
    if (owners.size === inodes.size) break;
    for (const inode of await socketsOf(pid, inodes)) {
      if (!owners.has(inode)) owners.set(inode, { pid, process: await nameOf(pid) });
    }
  }
  return owners;
}

/** A process that ended meanwhile, or that may not be looked into, has none. */
async function socketsOf(pid: number, wanted: ReadonlySet<string>): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const files = await readdir(folder).catch(() => []);
  const found: string[] = [];
  for (const file of files.slice(0, FILES_MAX)) {
    const target = await readlink(`${folder}/${file}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && wanted.has(inode)) found.push(inode);
  }
  return found;
}

async function nameOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  const words = line.split("\0").slice(0, WORDS_SHOWN);
  const name = words.map((word) => (word.startsWith("/") ? basename(word) : word)).join(" ");
  return name
    .trim()
    .replace(/\p{Cc}/gu, "?")
    .slice(0, NAME_MAX_CHARS)
    .toWellFormed();
}
