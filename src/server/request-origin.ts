import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { AppError } from "../contract/errors.ts";
import { DASHBOARD_NAME } from "../contract/sign-in-api.ts";

/**
 * Refuses requests that a foreign web page made the browser send: by a name that was pointed at this machine (DNS rebinding),
 * or from another origin, which navigations and images do not say in `Origin`. An address in `Host` is no name that could be pointed elsewhere, so the one that the connection came in at is taken.
 * Throws AppError `forbidden_origin`.
 */
export function checkOrigin(
  headers: {
    host?: string | undefined;
    origin?: string | undefined;
    "sec-fetch-site"?: string | string[] | undefined;
  },
  allowed: { local_address: string | undefined; hosts: readonly string[] },
): void {
  const host = hostOf(`http://${headers.host ?? ""}`);
  if (headers.host === undefined || host === null || !isOwnName(host.hostname, allowed))
    throw refused("Host", headers.host, "Use http://127.0.0.1 with the server's port, or http://localhost.");
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none")
    throw refused("Sec-Fetch-Site", String(site), "Type the address, or open it from a page of this server.");
  if (headers.origin === undefined) return;
  if (!isOriginOf(headers.origin, headers.host)) throw foreign(headers.origin);
}

/**
 * The dashboard's origin, when that is where a request came in, as its `Host` says: its own name on this machine, over whatever port a
 * tunnel has, or a configured origin. There alone a browser's sign-in counts, because on plain `localhost` every other port would be sent the cookie.
 */
export function dashboardOrigin(host: string | undefined, configured: readonly string[]): string | null {
  const local = hostOf(`http://${host ?? ""}`);
  if (host === undefined || local === null) return null;
  if (local.hostname === DASHBOARD_NAME) return local.origin;
  return configured.find((origin) => isOriginOf(origin, host)) ?? null;
}

/** Whether a request does more than read, so that a page must say that it is one of ours before its cookie counts. */
export function mayChange({ method, headers }: Pick<IncomingMessage, "method" | "headers">): boolean {
  return (method !== "GET" && method !== "HEAD") || headers.upgrade !== undefined;
}

/**
 * Throws AppError `forbidden_origin` unless a page of this very origin made the request; not saying so is not enough. With null any will do
 * that `checkOrigin` let through.
 */
export function requireOrigin(origin: string | undefined, own: string | null): void {
  if (origin === undefined || (own !== null && origin !== own)) throw foreign(origin);
}

/** Both as browsers write them: the usual port of the scheme is left out. */
function isOriginOf(origin: string, host: string): boolean {
  const [, scheme] = /^(https?):\/\//.exec(origin) ?? [];
  return scheme !== undefined && hostOf(origin)?.host === hostOf(`${scheme}://${host}`)?.host;
}

function foreign(origin: string | undefined): AppError {
  return refused("Origin", origin, "Only pages of this server itself may call it.");
}

/** Whether what is listened on can be reached from this machine alone. */
export function isLoopback(name: string): boolean {
  const bare = name.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

function isOwnName(
  name: string,
  allowed: { local_address: string | undefined; hosts: readonly string[] },
): boolean {
  if (isLoopback(name) || name === DASHBOARD_NAME) return true;
  const bare = name.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0) return bare === allowed.local_address?.replace(/^::ffff:/, "");
  return allowed.hosts.some((host) => host.toLowerCase() === bare);
}

function hostOf(url: string): URL | null {
  const parsed = URL.parse(url);
  return parsed === null || parsed.username !== "" || parsed.pathname !== "/" ? null : parsed;
}

function refused(header: string, value: string | undefined, hint: string): AppError {
  const shown = JSON.stringify((value ?? "").slice(0, 200));
  return new AppError({
    code: "forbidden_origin",
    message: `The ${header} header ${shown} is not one of this server's own.`,
    hint,
  });
}
