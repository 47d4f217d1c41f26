import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "../contract/errors.ts";

const STDERR_MAX_BYTES = 16 * 1024;

export type GitResult = { code: number; stdout: Buffer; stderr: string };

export type GitOptions = {
  cwd: string;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
  /** What git reads on its standard input. */
  input?: AsyncIterable<Uint8Array>;
  /** Where stdout goes instead of the result: a file descriptor. */
  stdout_fd?: number;
  /** How much of stdout is taken; more is an error. */
  stdout_max_bytes?: number;
};

const STDOUT_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Runs git without a shell and gives its exit code and output. Variables that point git at a repository are taken
 * out of the environment, so `cwd` alone says which one. Throws `usage` when git is not installed.
 */
export async function git(args: string[], options: GitOptions): Promise<GitResult> {
  const env = Object.fromEntries(
    Object.entries(options.env).filter(([name]) => !REPOSITORY_VARIABLES.has(name)),
  );
  const child = spawn("git", args, {
    cwd: options.cwd,
    env: { ...env, LC_ALL: "C" },
    signal: options.signal,
    stdio: [options.input === undefined ? "ignore" : "pipe", options.stdout_fd ?? "pipe", "pipe"],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  const chunks: Buffer[] = [];
  let size = 0;
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > (options.stdout_max_bytes ?? STDOUT_MAX_BYTES)) child.kill("SIGKILL");
    else chunks.push(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    if (stderr.length < STDERR_MAX_BYTES) stderr += chunk.toString("utf8");
  });
  try {
    const [code] = await Promise.all([ended, feed(child.stdin, options.input)]);
    if (size > (options.stdout_max_bytes ?? STDOUT_MAX_BYTES)) {
      throw new AppError({ code: "conflict", message: `git ${args[0]} printed too much to take.` });
    }
    return { code, stdout: Buffer.concat(chunks), stderr };
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      throw new AppError({
        code: "usage",
        message: "git is not installed.",
        hint: "Install git, then try again.",
        cause,
      });
    }
    options.signal.throwIfAborted();
    throw cause;
  }
}

/** The same, where any exit code but 0 is an error of ours or of the repository. */
export async function gitOk(args: string[], options: GitOptions): Promise<Buffer> {
  const result = await git(args, options);
  if (result.code === 0) return result.stdout;
  throw new AppError({
    code: "conflict",
    message: `git ${args[0]} failed: ${result.stderr.trim() || `exit code ${result.code}`}`,
  });
}

/** Whether the folder lies in a git work tree. Throws `usage` with git's words when git refuses to say. */
export async function isRepository(options: GitOptions): Promise<boolean> {
  const result = await git(["rev-parse", "--is-inside-work-tree"], options);
  if (result.code === 0) return result.stdout.toString("utf8").trim() === "true";
  if (/not a git repository/i.test(result.stderr)) return false;
  throw new AppError({ code: "usage", message: `git refuses this folder: ${result.stderr.trim()}` });
}

const REPOSITORY_VARIABLES = new Set([
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
]);

async function feed(stdin: Writable | null, input: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (stdin === null || input === undefined) return;
  try {
    await pipeline(input, stdin);
  } catch (error) {
    // git that ends early closes its input; its exit code and words tell more than the broken pipe.
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  }
}
