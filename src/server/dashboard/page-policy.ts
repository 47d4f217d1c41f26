import type { Config } from "../../contract/config.ts";
import { originOf, PreviewOrigins } from "../previews/preview-origin.ts";

/** What the page has no use for is shut off; the clipboard is for copying and for the desktop, the whole screen for looking at one. */
const PERMISSIONS = [
  "clipboard-read=(self)",
  "clipboard-write=(self)",
  "fullscreen=(self)",
  ...[
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-create",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
  ].map((feature) => `${feature}=()`),
].join(", ");

/**
 * The headers of a page of the dashboard. It runs scripts of its own build alone, makes none from text, connects to where it came from, and
 * frames previews only. `host` is the `Host` by which the browser called this server, `nonce` what its own scripts mark style sheets with.
 */
export function pageHeaders(options: {
  host: string | undefined;
  nonce: string;
  previews: Config["previews"];
}): Record<string, string> {
  const { host, nonce, previews } = options;
  const frames = new PreviewOrigins(previews).at(`*.${previews.host}`, host);
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    `style-src-elem 'self' 'nonce-${nonce}'`,
    // The terminal writes the colours of its cells into style attributes.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' blob: data:",
    "font-src 'self'",
    `connect-src 'self'${socketsOf(host)}`,
    `frame-src ${frames}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types default",
  ];
  return {
    "content-security-policy": policy.join("; "),
    "permissions-policy": PERMISSIONS,
    "cross-origin-opener-policy": "same-origin",
  };
}

/** WebSockets to where the page came from; not every browser takes them for 'self'. */
function socketsOf(host: string | undefined): string {
  if (originOf(host) === null) return "";
  return ` ws://${host} wss://${host}`;
}
