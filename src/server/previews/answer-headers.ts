import { type HeaderLine, headerLines, passedOn } from "./header-lines.ts";
import { isOwnCookieName } from "./preview-cookie.ts";

/** What no sandbox may tell a browser, at its own origin either: it reaches beyond the page, or outlives it. */
const DROPPED = new Set([
  "alt-svc",
  "clear-site-data",
  "nel",
  "public-key-pins",
  "service-worker-allowed",
  "set-cookie2",
  "set-login",
  "strict-transport-security",
]);

/** Cuts a page off from who opened it, and leaves it what it opens. A page may ask for more, not for less. */
const USUAL_OPENER = "same-origin-allow-popups";
const OPENER_POLICIES = new Set(["same-origin", "same-origin-allow-popups", "noopener-allow-popups"]);

/** Origins that may frame a preview, beside itself. */
export type FramedBy = readonly string[];

/** The headers that every page of a preview has, one that a sandbox made or one of ours. */
export function pageLines(framed_by: FramedBy, opener = USUAL_OPENER): HeaderLine[] {
  return [
    ["Cross-Origin-Opener-Policy", opener],
    ["Content-Security-Policy", ["frame-ancestors 'self'", ...framed_by].join(" ")],
    ["Cross-Origin-Resource-Policy", "same-origin"],
    ["Origin-Agent-Cluster", "?1"],
  ];
}

/**
 * The header lines of a sandbox's answer as they go to a browser at the preview's own origin. What the page says about who may frame it
 * gives way to what stands here, or no preview with a policy of its own could be shown in the dashboard.
 */
export function previewAnswerLines(raw: readonly string[], framed_by: FramedBy): HeaderLine[] {
  const lines: HeaderLine[] = [];
  let opener = USUAL_OPENER;
  let referrer = false;
  for (const [name, value] of passedOn(headerLines(raw))) {
    const lower = name.toLowerCase();
    if (isDropped(lower) || lower === "x-frame-options" || SET_HERE.has(lower)) continue;
    if (lower === "set-cookie" && !mayBeSet(value)) continue;
    if (lower === "cross-origin-opener-policy") {
      const policy = value.split(";")[0]?.trim() ?? "";
      if (OPENER_POLICIES.has(policy)) opener = policy;
      continue;
    }
    if (lower === "referrer-policy") referrer = true;
    const kept = /^content-security-policy(-report-only)?$/.test(lower) ? withoutAncestors(value) : value;
    if (kept !== "") lines.push([name, kept]);
  }
  // The request for a service worker is refused; a copy in the browser's cache that was fetched as something else must not stand in for it.
  lines.push(["Vary", "Service-Worker"], ...pageLines(framed_by, opener));
  if (!referrer) lines.push(["Referrer-Policy", "same-origin"]);
  return lines;
}

const SET_HERE = new Set(["cross-origin-resource-policy", "origin-agent-cluster"]);

/** What of a sandbox's answer would speak for the API's own origin. */
const FOR_AN_ORIGIN =
  /^(set-cookie|access-control-.*|content-security-policy.*|cross-origin-.*|origin-agent-cluster|permissions-policy|referrer-policy|refresh|link|sourcemap|x-frame-options|x-content-type-options|reporting-endpoints|report-to|timing-allow-origin|www-authenticate)$/;

/** The header lines of a sandbox's answer as they go to a program, from the API's own address: nothing in them speaks for that. */
export function programAnswerLines(raw: readonly string[], prefix: string | null): HeaderLine[] {
  const lines: HeaderLine[] = [];
  for (const [name, value] of passedOn(headerLines(raw))) {
    const lower = name.toLowerCase();
    if (isDropped(lower) || FOR_AN_ORIGIN.test(lower)) continue;
    lines.push([name, lower === "location" ? relocated(value, prefix) : value]);
  }
  return lines;
}

function isDropped(name: string): boolean {
  return DROPPED.has(name) || name.startsWith("x-sealwork-");
}

/** A redirect to a path of the server inside leads to the same path below our prefix. */
function relocated(location: string, prefix: string | null): string {
  return prefix !== null && /^\/(?![/\\])/.test(location) ? `${prefix}${location}` : location;
}

function withoutAncestors(policy: string): string {
  const policies = policy.split(",").map((one) =>
    one
      .split(";")
      .filter((directive) => !/^\s*frame-ancestors(\s|$)/i.test(directive))
      .join(";")
      .trim(),
  );
  return policies.filter((one) => one !== "").join(", ");
}

/**
 * Whether a sandbox may set this cookie: for its own host only, with a name, and not one of ours. Read as browsers read it (RFC 6265bis,
 * 5.6): attributes in any case, with white space around, and without a value.
 */
function mayBeSet(cookie: string): boolean {
  const [pair = "", ...attributes] = cookie.split(";");
  const equals = pair.indexOf("=");
  const name = pair.slice(0, Math.max(0, equals)).trim();
  if (name === "" || hasControls(cookie) || isOwnCookieName(name)) return false;
  return !attributes.some((attribute) => attribute.split("=")[0]?.trim().toLowerCase() === "domain");
}

function hasControls(text: string): boolean {
  // Browsers cut a line or drop it at a control character, tab aside; which one it is need not be known.
  return [...text].some((char) => char < " " || char === "\x7f");
}
