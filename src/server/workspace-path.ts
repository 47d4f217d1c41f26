import { AppError } from "../contract/errors.ts";

const PATH_MAX_BYTES = 4096;
/** How often a path is decoded again to see whether it hides a way out; each proxy in between may decode once. */
const DECODINGS_MAX = 3;

/**
 * A path under a job's workspace or home folder, as a URL gave it (decoded once). Throws AppError `invalid_path` for one that is absolute, has empty,
 * `.` or `..` segments (with slashes of either kind, and also if they appear only when it is decoded again), or a NUL.
 */
export function workspacePath(given: string): string {
  let text = given;
  for (let decoding = 0; ; decoding += 1) {
    refuseIfUnsafe(text);
    if (decoding === DECODINGS_MAX || !text.includes("%")) return given;
    const again = decoded(text);
    if (again === null || again === text) return given;
    text = again;
  }
}

/** The path of a folder, "" being the root itself; a slash at its end says nothing. Throws as workspacePath does. */
export function folderPath(given: string): string {
  return given === "" || given === "/" || given === "." ? "" : workspacePath(given.replace(/\/$/, ""));
}

function refuseIfUnsafe(text: string): void {
  if (text.includes("\0")) throw invalid("contains a NUL character");
  if (Buffer.byteLength(text) > PATH_MAX_BYTES) throw invalid(`is longer than ${PATH_MAX_BYTES} bytes`);
  if (/^[/\\]/.test(text)) throw invalid("is absolute");
  if (text.split(/[/\\]/).includes("..")) throw invalid("leads out of its root");
  if (text.split("/").some((segment) => segment === "." || segment === ""))
    throw invalid("has an empty or `.` segment");
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function invalid(why: string): AppError {
  return new AppError({
    code: "invalid_path",
    message: `The path ${why}.`,
    hint: "Give a path relative to the root, such as `reports/sales.html`.",
  });
}
