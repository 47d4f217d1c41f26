import { ApiError, requestJson } from "../../api/request.ts";

/** How long to wait before the next try: short at first, because most interruptions are. */
const WAITS_MS = [250, 500, 1000, 2000, 4000];

export function waitBefore(tries: number): number {
  return WAITS_MS[Math.min(tries, WAITS_MS.length - 1)] ?? 0;
}

/** The address of a WebSocket of the server that this page came from. */
export function socketAddress(path: string): URL {
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

/**
 * A refused WebSocket says nothing to a page, so the server is asked for something near it. Gives what it refuses for good; null when
 * trying again may help.
 */
export async function whyRefused(path: string, signal: AbortSignal): Promise<ApiError | null> {
  try {
    await requestJson(path, { signal });
    return null;
  } catch (error) {
    const lasting = error instanceof ApiError && error.status >= 400 && error.status < 500;
    return lasting && error.status !== 429 ? error : null;
  }
}
