import { type ChildProcessByStdio, spawn } from "node:child_process";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { AppError } from "../contract/errors.ts";

const STDERR_KEPT_CHARS = 2000;
const SHELL_NOT_FOUND = 127;

/** The shell hands on its PATH and nothing else of its environment, so that no setting of this machine's user changes what git does. */
const ISOLATED =
  'exec env -i PATH="$PATH" LC_ALL=C HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 git "$@"';

/** One run of git, isolated from this machine's configuration. Its input and output are streams; leaving its scope ends it. */
export class Git implements AsyncDisposable {
  readonly stdout: Readable;
  readonly #command: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #signal: AbortSignal;
  readonly #ended: Promise<number | null>;
  #stderr = "";

  constructor(args: string[], signal: AbortSignal) {
    this.#command = `git ${args.find((word) => /^[a-z]/.test(word) && !word.includes("=") && !word.includes("/")) ?? ""}`;
    this.#signal = signal;
    const child = spawn("/bin/sh", ["-c", ISOLATED, "sh", ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    const kill = () => void child.kill("SIGKILL");
    // First of all: when no descriptor is left the child has no streams, and the error that follows must find its listener.
    this.#ended = new Promise<number | null>((resolve) => {
      child.once("error", () => resolve(null));
      child.once("close", resolve);
    }).finally(() => signal.removeEventListener("abort", kill));
    // Node throws away what nobody reads yet when a child ends, so it is read from the start.
    this.stdout = child.stdout.pipe(new PassThrough());
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT_CHARS);
    });
    // A child that ended closes its input; why it ended is what `finish` reports.
    child.stdin.on("error", () => undefined);
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
  }

  async write(chunk: Buffer | string): Promise<void> {
    const { stdin } = this.#child;
    if (stdin.write(chunk)) return;
    const { promise: drained, resolve } = Promise.withResolvers<void>();
    stdin.once("drain", resolve);
    await Promise.race([drained, this.#ended]);
    stdin.removeListener("drain", resolve);
    if (stdin.destroyed) await this.finish();
  }

  /** Ends the input and waits; output beyond a few KiB must be read meanwhile. Throws AppError `setup_failed` where git is missing, `internal` when it failed. */
  async finish(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#ended;
    this.#signal.throwIfAborted();
    if (code === 0) return;
    if (code === SHELL_NOT_FOUND) throw gitMissing();
    throw new AppError({
      code: "internal",
      message: `\`${this.#command}\` failed while the patch was made (exit code ${code}): ${this.#stderr.trim()}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.destroy();
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    this.stdout.resume();
    await this.#ended;
  }
}

export async function runGit(args: string[], signal: AbortSignal): Promise<void> {
  await using git = new Git(args, signal);
  git.stdout.resume();
  await git.finish();
}

function gitMissing(): AppError {
  return new AppError({
    code: "setup_failed",
    message: "A patch of the changes was asked for, but `git` is not installed where the orchestrator runs.",
    hint: "Install git there (for example `apt-get install git`), or schedule the job without `patch`.",
  });
}
