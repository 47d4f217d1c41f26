import { AppError } from "../../../contract/errors.ts";
import type { TerminalInfo } from "../../../contract/surfaces.ts";
import type { TakeStream } from "../../handlers.ts";
import type { SurfacePlace } from "../place.ts";

/** Terminals and single commands of people. Disposal ends all of them. */
export interface Processes extends AsyncDisposable {
  /** Serves one stream of frames, as ProcessRequest says. */
  readonly take: TakeStream;
  list(): TerminalInfo[];
  /** AppError `not_found` for a terminal that is not there (any more). */
  end(id: string): Promise<void>;
}

export async function openProcesses(_place: SurfacePlace): Promise<Processes> {
  throw new AppError({ code: "not_available", message: "There are no terminals yet." });
}
