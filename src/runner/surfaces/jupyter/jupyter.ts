import { AppError } from "../../../contract/errors.ts";
import type { TakeStream } from "../../handlers.ts";
import type { SurfacePlace } from "../place.ts";

/** Jupyter Lab in a sandbox: starts on first use, ends when nobody has used it for a while, and can be started again. */
export interface Jupyter extends AsyncDisposable {
  /** Starts it unless it runs; the token is what it wants of every request, made anew for each job. */
  ready(signal: AbortSignal): Promise<{ token: string }>;
  /** A connection that speaks HTTP/1.1. */
  connect(signal: AbortSignal): Promise<TakeStream>;
}

/** AppError `conflict` when the image has no Jupyter Lab. */
export async function openJupyter(_place: SurfacePlace): Promise<Jupyter> {
  throw new AppError({
    code: "conflict",
    message: "This image has no Jupyter Lab; the template `desktop` has one.",
  });
}
