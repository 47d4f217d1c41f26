import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AppError } from "../contract/errors.ts";
import { type GitOptions, git, gitOk } from "./git.ts";

export type FileMode = "100644" | "100755" | "120000";

/** A file for a commit: `size_bytes` is exactly what `open` gives. */
export type CommitFile = {
  path: string;
  mode: FileMode;
  size_bytes: number;
  open(): Promise<AsyncIterable<Uint8Array>>;
};

export type TreeChange = {
  path: string;
  kind: "added" | "modified" | "deleted";
  mode: FileMode | null;
  oid: string | null;
};

/**
 * A bare repository of its own in a temporary folder, without work tree, hooks, or any setting of the user or the
 * system: whatever is put in it can run and reach nothing. Removed on dispose.
 */
export class MergeRepository {
  readonly folder: string;
  readonly #options: GitOptions;

  private constructor(folder: string, options: GitOptions) {
    this.folder = folder;
    this.#options = options;
  }

  static async create(
    env: Record<string, string | undefined>,
    signal: AbortSignal,
  ): Promise<MergeRepository> {
    const folder = await mkdtemp(path.join(env.TMPDIR || tmpdir(), "sealwork-apply-"));
    const repository = new MergeRepository(folder, { cwd: folder, env: isolated(env, folder), signal });
    try {
      await repository.#git(["init", "--quiet", "--bare", "--template=", "--initial-branch=base", "."]);
    } catch (error) {
      await repository[Symbol.asyncDispose]();
      throw error;
    }
    return repository;
  }

  /** Commits exactly these files under a branch. */
  async commit(
    branch: string,
    parent: string | null,
    files: AsyncIterable<CommitFile> | Iterable<CommitFile>,
  ): Promise<string> {
    await this.#git(["fast-import", "--quiet", "--force"], { input: importStream(branch, parent, files) });
    return this.#line(["rev-parse", "--verify", `refs/heads/${branch}`]);
  }

  /** Commits a tree with the patch taken back from another commit's; the patch must fit exactly. */
  async commitReversed(branch: string, from: string, patch: Buffer): Promise<string> {
    await this.#git(["read-tree", from]);
    if (patch.length > 0) {
      await this.#git(["apply", "--cached", "-R", "--binary", "--whitespace=nowarn", "-"], {
        input: once(patch),
      });
    }
    return this.#commitTree(branch, await this.#line(["write-tree"]), null);
  }

  /** The same tree again, with a parent. */
  async reparent(branch: string, commit: string, parent: string): Promise<string> {
    return this.#commitTree(branch, await this.#line(["rev-parse", `${commit}^{tree}`]), parent);
  }

  async #commitTree(branch: string, tree: string, parent: string | null): Promise<string> {
    const parents = parent === null ? [] : ["-p", parent];
    const commit = await this.#line(["commit-tree", tree, ...parents, "-m", branch]);
    await this.#git(["update-ref", `refs/heads/${branch}`, commit]);
    return commit;
  }

  /** Merges two branches as git does; their names stand at the marks of conflicts. */
  async merge(ours: string, theirs: string): Promise<{ tree: string; conflicts: string[] }> {
    const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs];
    const result = await git(args, this.#options);
    if (result.code !== 0 && result.code !== 1) {
      const old = result.code === 129;
      throw new AppError({
        code: "conflict",
        message: `git merge-tree failed: ${result.stderr.trim().split("\n")[0] ?? ""}`,
        hint: old ? "It needs git 2.38 or later." : undefined,
      });
    }
    const [tree, ...conflicts] = result.stdout.toString("utf8").split("\0");
    return { tree: (tree ?? "").trim(), conflicts: [...new Set(conflicts.filter((name) => name !== ""))] };
  }

  /** The object ids of a commit's files by path. */
  async files(commit: string): Promise<Map<string, string>> {
    const listed = await this.#git(["ls-tree", "-r", "-z", commit]);
    const found = new Map<string, string>();
    for (const line of listed.toString("utf8").split("\0")) {
      const match = /^\d+ \w+ ([0-9a-f]+)\t(.+)$/s.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined) found.set(match[2], match[1]);
    }
    return found;
  }

  /** What has to change in one tree to become another. */
  async changes(from: string, to: string): Promise<TreeChange[]> {
    const raw = await this.#git(["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", from, to]);
    const words = raw.toString("utf8").split("\0");
    const changes: TreeChange[] = [];
    for (let at = 0; at + 1 < words.length; at += 2) {
      const match = /^:(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) [A-Z]/.exec(words[at] ?? "");
      const name = words[at + 1];
      if (match === null || name === undefined) throw new Error("git diff-tree answered in an unknown form");
      const [, before, after, , oid] = match;
      if (after === "000000") changes.push({ path: name, kind: "deleted", mode: null, oid: null });
      else {
        const kind = before === "000000" ? "added" : "modified";
        changes.push({ path: name, kind, mode: after as FileMode, oid: oid ?? null });
      }
    }
    return changes;
  }

  /** Writes a file's content to an open file descriptor. */
  async writeBlob(oid: string, stdout_fd: number): Promise<void> {
    await gitOk(["cat-file", "blob", oid], { ...this.#options, stdout_fd });
  }

  /** A small file's content as text, such as where a symlink points. */
  async readBlob(oid: string, max_bytes: number): Promise<string> {
    const bytes = await gitOk(["cat-file", "blob", oid], { ...this.#options, stdout_max_bytes: max_bytes });
    return bytes.toString("utf8");
  }

  #git(args: string[], more: Partial<GitOptions> = {}): Promise<Buffer> {
    return gitOk(args, { ...this.#options, ...more });
  }

  async #line(args: string[]): Promise<string> {
    return (await this.#git(args)).toString("utf8").trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** An environment in which git finds no configuration but its own defaults. */
function isolated(
  env: Record<string, string | undefined>,
  folder: string,
): Record<string, string | undefined> {
  const person = { name: "sealwork", email: "sealwork@localhost", date: "2000-01-01T00:00:00Z" };
  const config = [
    "core.quotePath=false",
    "merge.directoryRenames=false",
    "merge.conflictStyle=merge",
    "gc.auto=0",
  ];
  const settings = config.map((line) => line.split("=") as [string, string]);
  return {
    PATH: env.PATH,
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_SYSTEM: "/dev/null",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_CEILING_DIRECTORIES: path.dirname(folder),
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: person.name,
    GIT_AUTHOR_EMAIL: person.email,
    GIT_AUTHOR_DATE: person.date,
    GIT_COMMITTER_NAME: person.name,
    GIT_COMMITTER_EMAIL: person.email,
    GIT_COMMITTER_DATE: person.date,
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([name, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, name],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** git-fast-import's format: the blobs with marks, then the commit that names them. */
async function* importStream(
  branch: string,
  parent: string | null,
  files: AsyncIterable<CommitFile> | Iterable<CommitFile>,
): AsyncGenerator<Uint8Array> {
  const lines: string[] = [];
  let mark = 0;
  for await (const file of files) {
    mark += 1;
    yield Buffer.from(`blob\nmark :${mark}\ndata ${file.size_bytes}\n`);
    let size = 0;
    for await (const chunk of await file.open()) {
      size += chunk.byteLength;
      yield chunk;
    }
    if (size !== file.size_bytes) {
      throw new AppError({ code: "conflict", message: `${file.path} changed while it was read; try again.` });
    }
    yield Buffer.from("\n");
    lines.push(`M ${file.mode} :${mark} ${quoted(file.path)}\n`);
  }
  const from = parent === null ? "" : `from ${parent}\ndeleteall\n`;
  const head = `commit refs/heads/${branch}\ncommitter sealwork <sealwork@localhost> 946684800 +0000\ndata 0\n${from}`;
  yield Buffer.from(`${head}${lines.join("")}\n`);
}

function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

/** A name that no other file has. */
export function temporaryName(): string {
  return `.sealwork-${randomBytes(8).toString("hex")}.tmp`;
}
