import type { IncomingHttpHeaders } from "node:http";

type Head = { method: string; headers: IncomingHttpHeaders };

/** Where a browser shows what it navigates to. Others (`object`, `embed`, `fencedframe`) are no way in. */
const NAVIGATED = new Set(["document", "iframe", "frame"]);

/**
 * Whether a request to a preview comes from that preview itself, or is the navigation to it; else why not. Fetch metadata
 * (https://www.w3.org/TR/fetch-metadata/) is added by the browser, and no page can forge it.
 */
export function refusalOf({ method, headers }: Head, origin: string): string | null {
  const site = headers["sec-fetch-site"];
  const mode = headers["sec-fetch-mode"];
  const destination = headers["sec-fetch-dest"];
  if (headers["service-worker"] !== undefined || destination === "serviceworker")
    return "A preview cannot have a service worker: it would outlive the job.";
  if (site === undefined && mode === undefined && destination === undefined) {
    // A browser without fetch metadata, or a program that was given the cookie.
    return headers.origin === origin ? null : "Programs use /jobs/{id}/ports/{n}/ with the server's token.";
  }
  if (site === "same-origin" || site === "none") return null;
  const navigates = mode === "navigate" && NAVIGATED.has(String(destination));
  if (navigates && (method === "GET" || method === "HEAD")) return null;
  return "Another site made this request.";
}

/** Whether a WebSocket to a preview is opened by a page of that preview; Chromium tells its origin only. */
export function socketRefusalOf({ method, headers }: Head, origin: string): string | null {
  const site = headers["sec-fetch-site"];
  if (method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket")
    return "Only a WebSocket can be opened here.";
  if (headers.origin !== origin || (site !== undefined && site !== "same-origin" && site !== "none"))
    return "Another site opened this WebSocket.";
  return null;
}

/** Whether a person went to a page, which counts as being at work; what a page asks for by itself does not. */
export function isNavigation({ headers }: Pick<Head, "headers">): boolean {
  return headers["sec-fetch-mode"] === "navigate";
}

/** Whether a request does more than look. */
export function changesSomething(method: string): boolean {
  return method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
}
