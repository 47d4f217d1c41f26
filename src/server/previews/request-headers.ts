import type { IncomingMessage } from "node:http";
import { type HeaderLine, headerLines, passedOn } from "./header-lines.ts";
import { withoutOwnCookies } from "./preview-cookie.ts";

/** What stands in a request to a sandbox beside what the client sent. */
export type RequestRules = {
  /** `Host`, and what forwarding headers say of the address that the client used. */
  host: string;
  scheme: string;
  prefix: string | null;
  /** The page's own origin; a Referer from elsewhere is taken off. Null is for programs, of which none says where it comes from. */
  origin: string | null;
  /** `keep` all cookies but ours (a browser at the preview's own origin), or `drop` all (a program at ours). */
  cookies: "keep" | "drop";
  /** Whether an Authorization is one of ours, which no sandbox may see. */
  isOwnCredential: (authorization: string) => boolean;
  /** Replaces whatever Authorization the client sent. */
  authorization: string | null;
};

/** Said of the client by proxies, ours among them; a sandbox has no use for the viewer's address. */
const SAID_BY_PROXIES =
  /^(forwarded|via|x-forwarded(-.*)?|x-real-ip|x-client-ip|x-original-.*|x-rewrite-url|cf-.*|true-client-ip)$/;

/** The header lines with which a request goes into a sandbox; those of its body and of an upgrade are not among them. */
export function requestLines(
  request: Pick<IncomingMessage, "rawHeaders">,
  rules: RequestRules,
): HeaderLine[] {
  const lines: HeaderLine[] = [["Host", rules.host]];
  for (const [name, value] of passedOn(headerLines(request.rawHeaders))) {
    const kept = keptValue(name.toLowerCase(), value, rules);
    if (kept !== null) lines.push([name, kept]);
  }
  lines.push(["X-Forwarded-Host", rules.host], ["X-Forwarded-Proto", rules.scheme]);
  if (rules.prefix !== null) lines.push(["X-Forwarded-Prefix", rules.prefix]);
  if (rules.authorization !== null) lines.push(["Authorization", rules.authorization]);
  return lines;
}

function keptValue(name: string, value: string, rules: RequestRules): string | null {
  if (name === "host" || name === "content-length") return null;
  if (name.startsWith("x-sealwork-") || SAID_BY_PROXIES.test(name)) return null;
  if (name === "cookie") return rules.cookies === "keep" ? withoutOwnCookies(value) : null;
  if (name === "authorization")
    return rules.authorization !== null || rules.isOwnCredential(value) ? null : value;
  if (name === "origin") return rules.origin === null ? null : value;
  if (name === "referer") return isOf(value, rules.origin) ? value : null;
  return value;
}

function isOf(url: string, origin: string | null): boolean {
  return origin !== null && URL.parse(url)?.origin === origin;
}
