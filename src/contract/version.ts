/** The version of this build. */
export const VERSION = "0.1.0";

export type VersionOutcome =
  | { compatible: true }
  | { compatible: false; upgrade: "client" | "server"; message: string };

/**
 * Whether a client and a server of these versions may work together: when they are at most one release apart.
 * A release is MAJOR.MINOR, patches do not count, and another MAJOR is always further apart. A version that is
 * no such number counts as compatible, because nothing can be said about it.
 */
export function compareVersions(versions: { client: string; server: string }): VersionOutcome {
  const client = release(versions.client);
  const server = release(versions.server);
  if (client === null || server === null) return { compatible: true };
  if (client.major === server.major && Math.abs(client.minor - server.minor) <= 1)
    return { compatible: true };
  const older = client.major !== server.major ? client.major < server.major : client.minor < server.minor;
  const upgrade = older ? "client" : "server";
  return {
    compatible: false,
    upgrade,
    message:
      `The client is version ${versions.client} and the server ${versions.server}, ` +
      `more than one release apart: upgrade the ${upgrade}.`,
  };
}

function release(version: string): { major: number; minor: number } | null {
  const match = /^(\d{1,6})\.(\d{1,6})\./.exec(version);
  return match === null ? null : { major: Number(match[1]), minor: Number(match[2]) };
}
