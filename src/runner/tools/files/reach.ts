import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative } from "node:path";

/** Folders of ours: in home it is the runner's, in the workspace the agent may write its notes and no more. */
const RESERVED = ".sealwork";
const NOTES = `${RESERVED}/notes.md`;

/** A path that a tool may touch. */
export type Reached = {
  /** Absolute, with every symlink on the way resolved, but for what does not exist yet. */
  real: string;
  /** As people see it: relative to the workspace, or absolute below home. */
  shown: string;
};

/** What an agent's file tools reach: the home folder, and in it the workspace, which relative paths start from. */
export class Reach {
  readonly #home: string;
  readonly #workspace: string;

  constructor(options: { home: string; workspace: string }) {
    this.#home = options.home;
    this.#workspace = options.workspace;
  }

  /** Where a path really leads. A sentence when it leaves home, by its names or by a symlink, or when it cannot be followed. */
  async find(path: string): Promise<Reached | string> {
    if (path.includes("\0")) return "A path has no NUL in it.";
    const home = await realpath(this.#home);
    const workspace = await realpath(this.#workspace);
    const real = await follow(this.#absolute(path));
    if (real === null)
      return `${told(path)} leads nowhere: there is a file where a folder should be, or a symlink to nothing.`;
    if (!isBelow(home, real))
      return `${told(path)} leads to ${told(real)}, which lies outside the workspace and home: file tools stay inside.`;
    const shown = isBelow(workspace, real) ? relative(workspace, real) || "." : real;
    return { real, shown };
  }

  /** The same, for a file that is going to be written. A symlink in its own place is refused. */
  async findToWrite(path: string): Promise<Reached | string> {
    const found = await this.find(path);
    if (typeof found === "string") return found;
    const stat = await lstat(this.#absolute(path)).catch(() => null);
    if (stat?.isSymbolicLink()) return `${told(path)} is a symlink to ${told(found.shown)}: write to that.`;
    const inside = [await realpath(this.#workspace), await realpath(this.#home)];
    for (const root of inside) {
      if (!isBelow(root, found.real)) continue;
      const below = relative(root, found.real);
      if (below === "") return `${told(path)} is a folder.`;
      if (below.split("/")[0] !== RESERVED) continue;
      if (root === inside[0] && below === NOTES) return found;
      return `${told(path)} is reserved: in ${RESERVED} only the workspace's ${NOTES} may be written.`;
    }
    return found;
  }

  /** Where home begins, for writing below it. */
  async below(found: Reached): Promise<{ root: string; path: string }> {
    const root = await realpath(this.#home);
    return { root, path: relative(root, found.real) };
  }

  #absolute(path: string): string {
    const from_home = path === "~" || path.startsWith("~/") ? join(this.#home, path.slice(1)) : path;
    return normalize(isAbsolute(from_home) ? from_home : join(this.#workspace, from_home)).replace(
      /(?<=.)\/+$/,
      "",
    );
  }
}

export function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

function told(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}

/** The real path of something that need not be there: what exists of it is resolved. Null when it cannot be followed. */
async function follow(path: string): Promise<string | null> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    const stat = await lstat(at).catch(() => null);
    if (stat === null) {
      if (at === "/") return null;
      missing.unshift(basename(at));
      continue;
    }
    // Fails for a symlink that leads nowhere, whose target nobody can judge.
    const real = await realpath(at).catch(() => null);
    if (real === null || missing.length === 0) return real;
    return (await lstat(real)).isDirectory() ? join(real, ...missing) : null;
  }
}
