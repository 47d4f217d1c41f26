import { AppError } from "../../../contract/errors.ts";
import type { DesktopControl } from "../../../contract/surfaces.ts";
import type { TakeStream } from "../../handlers.ts";
import type { SurfacePlace } from "../place.ts";

/** The desktop of a sandbox: starts on first use, ends when nobody has used it for a while, and can be started again. */
export interface Desktop extends AsyncDisposable {
  /** Starts it unless it runs. */
  ready(signal: AbortSignal): Promise<void>;
  /** A connection that speaks RFB. */
  connect(signal: AbortSignal): Promise<TakeStream>;
  /** The screen as PNG. */
  screen(signal: AbortSignal): Promise<Buffer>;
  /** Who drives, who looks, and whether the clipboard passes. */
  control(control: DesktopControl): Promise<void>;
}

/** AppError `conflict` when the image has no desktop. */
export async function openDesktop(_place: SurfacePlace, _control: DesktopControl): Promise<Desktop> {
  throw new AppError({
    code: "conflict",
    message: "This image has no desktop; the template `desktop` has one.",
  });
}
