import type { Duplex } from "node:stream";
import { AppError } from "../../contract/errors.ts";
import { jupyterBasePath } from "../../contract/live.ts";
import type { JobSurfaces } from "../../core/job-surfaces.ts";
import type { ConnectionSlots } from "./connection-slots.ts";
import { unanswered } from "./passage.ts";
import type { PreviewTarget } from "./preview-kind.ts";

/** What serves pages inside a sandbox, and what it wants of a request. */
export type Inside = {
  surfaces: JobSurfaces;
  target: Exclude<PreviewTarget, { kind: "desktop" }>;
};

/** Opens a connection to it, one of those that a sandbox may have. The signal ends the opening. */
export async function connectInside(
  { surfaces, target }: Inside,
  slots: ConnectionSlots,
  signal: AbortSignal,
): Promise<Duplex> {
  const slot = slots.take(surfaces.job_id);
  try {
    const stream = await surfaces.connect(target.kind === "port" ? `port.${target.port}` : "jupyter", signal);
    stream.once("close", () => slot[Symbol.dispose]());
    if (stream.destroyed) slot[Symbol.dispose]();
    return stream;
  } catch (error) {
    slot[Symbol.dispose]();
    if (target.kind === "port" && error instanceof AppError && error.code === "not_found")
      throw new AppError({
        code: "port_unanswered",
        message: `Nothing listens on port ${target.port} in the sandbox.`,
        hint: "A server that just starts takes a moment.",
        cause: error,
      });
    throw error;
  }
}

/** What it wants as `Authorization`; null for nothing. Starts Jupyter unless it runs. */
export async function credentialOf(
  { surfaces, target }: Inside,
  signal: AbortSignal,
): Promise<string | null> {
  if (target.kind !== "jupyter") return null;
  const { token } = await surfaces.service("jupyter", signal);
  // It goes into a header line, and comes from a sandbox.
  if (token === null || !/^[\x21-\x7e]+$/.test(token)) throw unanswered("told no token of Jupyter");
  return `token ${token}`;
}

/** Where a person who goes to the bare address of a preview wants to be; null: there. */
export function entryOf({ surfaces, target }: Inside): string | null {
  return target.kind === "jupyter" ? `${jupyterBasePath(surfaces.job_id)}lab` : null;
}
