import type { Writable } from "node:stream";
import type { Log } from "../core/dependencies.ts";

/** One JSON object a line. */
export function createJsonLog(stream: Writable): Log {
  return (level, message, detail = {}) => {
    stream.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...detail })}\n`);
  };
}
