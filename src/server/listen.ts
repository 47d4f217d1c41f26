import type { AddressInfo } from "node:net";
import { AppError } from "../contract/errors.ts";
import { isLoopback } from "./request-origin.ts";
import type { App } from "./route-context.ts";

/** A server that takes connections. Disposing of it ends its streams and closes it. */
export type Listening = { url: string; port: number; [Symbol.asyncDispose](): Promise<void> };

/**
 * Listens; port 0 takes a free one. Throws AppError `usage` for an address beyond loopback without a token, and `conflict` when the port
 * is taken (its cause has the system's code).
 */
export async function listen(
  app: App,
  options: { host: string; port: number; token: string | null },
): Promise<Listening> {
  const { host, port, token } = options;
  if (token === null && !isLoopback(host))
    throw new AppError({
      code: "usage",
      message: `Without sign-in the server listens on loopback only, not on ${host}.`,
      hint: "Leave out --no-auth, or use --host 127.0.0.1.",
    });
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code !== "EADDRINUSE" && code !== "EACCES" && code !== "EADDRNOTAVAIL") throw cause;
    throw new AppError({
      code: "conflict",
      message: `The server cannot listen on ${host}:${port} (${code}).`,
      hint: "Take another one with --host or --port.",
      cause,
    });
  }
  const address = app.server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    [Symbol.asyncDispose]: () => app.close(),
  };
}
