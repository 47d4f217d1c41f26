/** Bounds of Linux file systems: one name, and a whole path. */
export const NAME_MAX_BYTES = 255;
export const PATH_MAX_BYTES = 4096;
/** Names deeper than this cost more to judge than anybody needs. */
export const PATH_DEPTH_MAX = 256;
/** The folder at the root that belongs to the orchestrator. */
export const RESERVED_FOLDER = ".sealwork";

const PRINTED_MAX_CHARS = 200;

export type PathVerdict = { path: string; folder: boolean } | { problem: string };

/**
 * Judges an untrusted path that is meant to lie under a workspace. What it returns as `path` is relative, uses `/`, has no `.`, `..` or empty
 * part and no slash at its end; `folder` says that there was one. `problem` completes the sentence "The path …".
 */
export function judgePath(raw: string): PathVerdict {
  let path = raw;
  while (path.startsWith("./")) path = path.slice(2);
  const folder = path.endsWith("/");
  if (folder) path = path.slice(0, -1);
  if (path === "") return { problem: "is empty" };
  const problem = problemOfText(path);
  if (problem !== null) return { problem };
  const names = path.split("/");
  if (names.length > PATH_DEPTH_MAX) return { problem: `has more than ${PATH_DEPTH_MAX} folders` };
  for (const name of names) {
    if (name === "..") return { problem: "contains `..`" };
    if (name === "" || name === ".") return { problem: "contains an empty name or `.`" };
    if (Buffer.byteLength(name) > NAME_MAX_BYTES)
      return { problem: `has a name longer than ${NAME_MAX_BYTES} bytes` };
  }
  return { path, folder };
}

/**
 * Judges the target of a symlink at `path` (already judged). Null when following it cannot leave the workspace, else what is wrong with it.
 * `..` may stand only at the start of a target: from the link's own folder each step up is exact, while after a name it would be taken
 * from wherever that name leads if it is a symlink too.
 */
export function judgeSymlink(path: string, target: string): string | null {
  if (target === "") return "has an empty target";
  const problem = problemOfText(target);
  if (problem !== null) return `has a target that ${problem}`;
  let ups_left = path.split("/").length - 1;
  let named = false;
  for (const name of target.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") {
      named = true;
      continue;
    }
    if (named) return "has a target with `..` after a name";
    if (ups_left === 0) return "leads out of the workspace";
    ups_left -= 1;
  }
  return null;
}

/** An untrusted name in a form that can stand in a message: no control characters, not long. */
export function printable(name: string): string {
  const clean = name.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
  return clean.length > PRINTED_MAX_CHARS ? `${clean.slice(0, PRINTED_MAX_CHARS)}…` : clean;
}

export function isReserved(path: string): boolean {
  return path === RESERVED_FOLDER || path.startsWith(`${RESERVED_FOLDER}/`);
}

function problemOfText(text: string): string | null {
  if (Buffer.byteLength(text) > PATH_MAX_BYTES) return `is longer than ${PATH_MAX_BYTES} bytes`;
  if (text.includes("\0")) return "contains a NUL character";
  if (/[\u0001-\u001f\u007f-\u009f]/.test(text)) return "contains a control character";
  if (text.includes("\\")) return "contains a backslash";
  if (text.startsWith("/")) return "is absolute";
  if (/^[A-Za-z]:/.test(text)) return "starts with a drive letter";
  if (!text.isWellFormed()) return "is not valid Unicode";
  return null;
}
