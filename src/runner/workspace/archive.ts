import { lstat, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { AppError } from "../../contract/errors.ts";
import type { FilePlace } from "../handlers.ts";
import { RESERVED, type Roots, realPlace, told } from "./inside.ts";
import { packFile, packFolder } from "./pack.ts";

/**
 * A tar of a folder (what is in it) or of a file (itself), without what belongs to the runner. Throws AppError as realPlace says, and
 * `not_found` for what is neither.
 */
export async function archivePlace(roots: Roots, place: FilePlace, signal: AbortSignal): Promise<Readable> {
  const real = await realPlace(roots, place);
  const home = await realpath(roots.home);
  const stat = await lstat(real);
  if (stat.isDirectory()) return packFolder(real, { base: home, left_out: join(home, RESERVED) }, signal);
  if (stat.isFile()) return packFile(real, { base: home }, signal);
  throw new AppError({ code: "not_found", message: `${told(place)} is neither a file nor a folder.` });
}
