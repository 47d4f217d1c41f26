import type { ListeningPort } from "../../../contract/surfaces.ts";

/** The TCP ports on which something in the sandbox listens, by number; Sealwork's own are left out. */
export async function listeningPorts(): Promise<ListeningPort[]> {
  return [];
}
