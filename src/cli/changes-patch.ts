import { AppError } from "../contract/errors.ts";

/** One file of a git patch: its sides, null where it does not exist, and the bytes of the patch that speak of it. */
export type PatchFile = {
  old_path: string | null;
  new_path: string | null;
  /** Full object ids; null when only the mode changed. */
  old_oid: string | null;
  new_oid: string | null;
  bytes: Buffer;
};

const FILES_MAX = 100_000;

/**
 * The files of a patch that `git diff --full-index --binary` made. No line inside a hunk or a binary block begins
 * with `diff --git `, so that line begins a file (git's diff-generate-patch format). Paths come as they stand:
 * `isSafePath` judges them. Throws `conflict` for what is no such patch.
 */
export function parsePatch(patch: Buffer): PatchFile[] {
  const text = patch.toString("latin1");
  const starts: number[] = [];
  for (let at = text.startsWith(BEGIN) ? 0 : next(text, 0); at !== -1; at = next(text, at)) {
    starts.push(at);
    if (starts.length > FILES_MAX) throw broken(`it has more than ${FILES_MAX} files`);
  }
  if (starts.length === 0 && text.trim() !== "") throw broken("it names no file");
  return starts.map((from, index) => {
    const to = starts[index + 1] ?? text.length;
    return parseFile(text.slice(from, to), patch.subarray(from, to));
  });
}

const BEGIN = "diff --git ";

function next(text: string, after: number): number {
  const found = text.indexOf(`\n${BEGIN}`, after);
  return found === -1 ? -1 : found + 1;
}

function parseFile(text: string, bytes: Buffer): PatchFile {
  const file: PatchFile = { old_path: null, new_path: null, old_oid: null, new_oid: null, bytes };
  let is_new = false;
  let is_deleted = false;
  const lines = header(text);
  for (const line of lines) {
    if (line.startsWith("new file mode ")) is_new = true;
    else if (line.startsWith("deleted file mode ")) is_deleted = true;
    else if (line.startsWith("rename from ")) file.old_path = name(line.slice(12));
    else if (line.startsWith("rename to ")) file.new_path = name(line.slice(10));
    else if (line.startsWith("copy ")) throw broken("it has copies");
    else if (line.startsWith("index ")) {
      const match = /^index ([0-9a-f]{40,64})\.\.([0-9a-f]{40,64})/.exec(line);
      if (match === null) throw broken("it has no full object ids");
      file.old_oid = match[1] ?? null;
      file.new_oid = match[2] ?? null;
    }
  }
  if (file.old_path === null || file.new_path === null) {
    const same = sameName(lines[0] ?? "");
    file.old_path = same;
    file.new_path = same;
  }
  if (is_new) file.old_path = null;
  if (is_deleted) file.new_path = null;
  return file;
}

/** The lines before the first hunk. */
function header(text: string): string[] {
  const end = /^(?:@@ |GIT binary patch|--- )/m.exec(text)?.index ?? text.length;
  return text.slice(0, end).split("\n");
}

/** The name in `diff --git a/NAME b/NAME`, both the same unless the file was renamed. */
function sameName(line: string): string {
  const rest = line.slice(BEGIN.length);
  if (rest.startsWith('"')) {
    const quoted = /^"(?:[^"\\]|\\.)*"/.exec(rest)?.[0];
    if (quoted !== undefined && rest === `${quoted} ${quoted.replace(/^"a\//, '"b/')}`)
      return name(quoted).slice(2);
  }
  const half = (rest.length - 1) / 2;
  const before = rest.slice(0, half);
  if (rest[half] === " " && before.startsWith("a/") && rest.slice(half + 1) === `b/${before.slice(2)}`) {
    return name(before).slice(2);
  }
  throw broken("a name in it cannot be read");
}

const ESCAPES: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };

/** A name as git writes it: as it is, or quoted with the escapes of C. */
function name(written: string): string {
  if (!written.startsWith('"')) return decoded(Buffer.from(written, "latin1"));
  const bytes: number[] = [];
  const inner = written.slice(1, -1);
  for (let at = 0; at < inner.length; at += 1) {
    const char = inner.charCodeAt(at);
    if (char !== 92) {
      bytes.push(char);
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(inner.slice(at + 1, at + 4))?.[0];
    const simple = ESCAPES[inner[at + 1] ?? ""];
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (simple !== undefined) bytes.push(simple);
    else throw broken("a name in it cannot be read");
    at += octal === undefined ? 1 : 3;
  }
  return decoded(Buffer.from(bytes));
}

function decoded(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes)) throw broken("a name in it is not UTF-8");
  return text;
}

function broken(why: string): AppError {
  return new AppError({ code: "conflict", message: `The patch of the job cannot be used: ${why}.` });
}

/**
 * Whether a path that came out of a sandbox may be touched: relative, below the folder, and nothing of git's own,
 * in whatever way a file system that folds case or ignores characters would take it.
 */
export function isSafePath(path: string): boolean {
  if (path === "" || path.length > 4096 || /[\0\\]/.test(path)) return false;
  return path.split("/").every((part) => {
    if (part === "" || part === "." || part === "..") return false;
    const folded = part.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, "").toLowerCase();
    return !/^(?:\.git|git~1)(?:[ .]*$|:)/.test(folded);
  });
}
