import { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import type { Dependencies } from "./dependencies.ts";
import type { JobSurfaces } from "./job-surfaces.ts";

/** A PNG. */
export type Screen = { size_bytes: number; content: Readable };

/** The screen as it is right now; starts the desktop unless it runs. */
export async function screenNow(surfaces: JobSurfaces, signal: AbortSignal): Promise<Screen> {
  const png = await surfaces.screen(signal);
  return { size_bytes: png.length, content: Readable.from([png]) };
}

/** The screen of a job whose sandbox is gone, as it was captured last. AppError `not_found` when it never was. */
export async function lastScreen(
  job_id: string,
  { store, artifacts }: Pick<Dependencies, "store" | "artifacts">,
): Promise<Screen> {
  const captured = await store.lastEvent(job_id, "screen.captured");
  const kept = captured === null ? null : await artifacts.openBlob(job_id, captured.data.blob);
  if (kept !== null) return kept;
  throw new AppError({
    code: "not_found",
    message: `Job ${job_id} has ended, and no picture of its screen was kept.`,
    hint: "The screen is captured while somebody watches, and after each step of the agent's desktop tool.",
  });
}
