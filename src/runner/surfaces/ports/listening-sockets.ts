import { open } from "node:fs/promises";
import { EGRESS_PORT, MODEL_PORT } from "../../../contract/models.ts";

/** Of each table; the kernel lists what listens before all connections (seq_file of tcp_seq_ops), so this holds over a thousand of them. */
const TABLE_MAX_BYTES = 256 * 1024;
/** TCP_LISTEN in include/net/tcp_states.h. */
const LISTEN = "0A";
const OWN_PORTS: readonly number[] = [MODEL_PORT, EGRESS_PORT];

/** A socket that takes connections, and the inode by which its owner can be found. */
export type ListeningSocket = { port: number; address: string; inode: string };

/** What listens in this network namespace, as the kernel's tables say; the sockets of Sealwork itself are left out. */
export async function listeningSockets(): Promise<ListeningSocket[]> {
  const tables = await Promise.all([readTable("/proc/net/tcp"), readTable("/proc/net/tcp6")]);
  return tables.flatMap(parseTable).filter(({ port }) => !OWN_PORTS.includes(port));
}

/** The listening sockets in a table as proc_pid_net(5) describes it: address, state and inode are its columns 2, 4 and 10. */
export function parseTable(table: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of table.split("\n")) {
    const columns = line.trim().split(/\s+/);
    const [address = "", port = ""] = columns[1]?.split(":") ?? [];
    if (columns[3] !== LISTEN || columns[9] === undefined) continue;
    sockets.push({ port: Number.parseInt(port, 16), address: addressOf(address), inode: columns[9] });
  }
  return sockets;
}

/** A kernel without one of the two protocols has no table of it. */
async function readTable(path: string): Promise<string> {
  const file = await open(path).catch(() => null);
  if (file === null) return "";
  await using _closing = file;
  const table = Buffer.alloc(TABLE_MAX_BYTES);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(table, length, TABLE_MAX_BYTES - length);
    if (bytesRead === 0) return table.toString("latin1", 0, length);
    length += bytesRead;
    // The last line may be half there.
    if (length === TABLE_MAX_BYTES) return table.toString("latin1", 0, table.lastIndexOf("\n"));
  }
}

/** The kernel prints an address as words of four bytes in the machine's own order, which is little-endian wherever sandboxes run. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex").swap32();
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  // The usual short form, of which a URL knows the rules.
  return new URL(`http://[${words.join(":")}]`).hostname.slice(1, -1);
}
