import { type ListeningPort, PORTS_LISTED_MAX } from "../../../contract/surfaces.ts";
import { type ListeningSocket, listeningSockets } from "./listening-sockets.ts";
import { socketOwners } from "./socket-owners.ts";

/** From here on the kernel hands ports out by itself (ip_local_port_range): who listens there seldom means it for people. */
export const EPHEMERAL_PORTS_FROM = 32_768;
/** A kernel of Jupyter talks to its server over ports that the system chose; what code in it serves to people it puts elsewhere. */
const KERNEL = /ipykernel/;

/** The TCP ports on which something in the sandbox listens, by number, each once; Sealwork's own are left out. */
export async function listeningPorts(): Promise<ListeningPort[]> {
  return portsOf(await listeningSockets());
}

/** The same for sockets that were read already. */
export async function portsOf(sockets: readonly ListeningSocket[]): Promise<ListeningPort[]> {
  const by_port = new Map<number, ListeningSocket>();
  for (const socket of sockets) if (!by_port.has(socket.port)) by_port.set(socket.port, socket);
  const owners = await socketOwners(new Set([...by_port.values()].map(({ inode }) => inode)));
  return [...by_port.values()]
    .map(({ port, address, inode }) => ({
      port,
      address,
      pid: owners.get(inode)?.pid ?? null,
      process: owners.get(inode)?.process || null,
    }))
    .filter(({ port, process }) => port < EPHEMERAL_PORTS_FROM || !KERNEL.test(process ?? ""))
    .sort((a, b) => a.port - b.port)
    .slice(0, PORTS_LISTED_MAX);
}
