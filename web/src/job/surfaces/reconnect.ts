import { ApiError, requestJson } from "../../api/request.ts";

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
