import type { Registry } from "../../core/network.ts";

/** Longer than any name; what is longer is not looked at. */
const HOST_MAX_CHARS = 1024;
const NAME_MAX_CHARS = 253;
/** What a name cannot hold and the URL parser would decode, or take for the end of it. */
const NEVER_IN_A_NAME = /[\s/\\?#@%<>^|"'`{}\x00-\x1f\x7f]/;
/** Labels as in RFC 1123, and with the underscore that is in use; the last one has a letter, as no address has. */
const NAME =
  /^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?=[a-z0-9-]*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Where a program wants to go, in the one spelling that everything is compared in. */
export type Target = {
  /** A name: lower case, ASCII, no dot at its end; or an address as URLs write it. */
  host: string;
  kind: "name" | "address";
  port: number;
};

/** Takes `host` or `host:port` apart; port null when none is there. Null for what is neither. */
export function parseAuthority(text: string): { host: string; port: number | null } | null {
  const [, host = "", digits] = /^(.*?)(?::([0-9]{1,5}))?$/s.exec(text) ?? [];
  if (host === "" || text.length > HOST_MAX_CHARS) return null;
  if (digits === undefined) return { host, port: null };
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { host, port } : null;
}

/**
 * A host as a name or as an address, whatever its spelling: capitals, a dot at the end, other scripts, and for addresses every notation that the
 * URL standard or a resolver understands (decimal, octal, hexadecimal, short, IPv6). Null for what can be neither.
 */
export function parseHost(text: string): Pick<Target, "host" | "kind"> | null {
  if (text === "" || text.length > HOST_MAX_CHARS) return null;
  // A name has no colon and no bracket: whatever has, zones included, is an attempt at an address.
  if (/[:[\]]/.test(text)) {
    const bare = text.replace(/^\[|\]$/g, "");
    return { host: URL.parse(`http://[${bare}]/`)?.hostname ?? text, kind: "address" };
  }
  if (NEVER_IN_A_NAME.test(text)) return null;
  const hostname = URL.parse(`http://${text}/`)?.hostname;
  if (hostname === undefined) return null;
  if (/^[0-9.]+$/.test(hostname)) return { host: hostname, kind: "address" };
  const name = hostname.replace(/\.$/, "");
  return name.length <= NAME_MAX_CHARS && NAME.test(name) ? { host: name, kind: "name" } : null;
}

/** The registry that is meant, if one is. */
export function findRegistry(target: Target, registries: readonly Registry[]): Registry | null {
  return registries.find(({ host, port }) => host === target.host && port === target.port) ?? null;
}

/** Whether a list of hosts (`example.org`, `*.example.org` for the names below it, with a port when not every port is meant) has the name. */
export function isListed({ host, port }: Target, hosts: readonly string[]): boolean {
  return hosts.some((entry) => {
    const [listed = "", only] = entry.toLowerCase().split(":");
    if (only !== undefined && Number(only) !== port) return false;
    return listed.startsWith("*.") ? host.endsWith(listed.slice(1)) : host === listed;
  });
}
