import type { RunnerEventBody } from "../../contract/event.ts";
import type { FileWatch } from "./files.ts";

type Emit = (body: RunnerEventBody) => Promise<void>;

/** A job that is over by then is told its files at its end, and pays for no watch. */
const START_AFTER_MS = 300;
const TOLD_MAX = 1_000;

/**
 * Tells what changes in the workspace from the first step on, as `file.changed`; what a step tells by itself is not told again. The watch begins
 * a while after the first step, so that no step waits for it.
 */
export class FileNews implements AsyncDisposable {
  readonly #workspace: string;
  readonly #emit: Emit;
  /** What was sent was unpacked before the job began, and what a step makes comes after. */
  readonly #since_ms = Date.now();
  #begun = false;
  /** What was told before the watch began. */
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #watch: Promise<FileWatch | null> | null = null;

  constructor(options: { workspace: string; emit: Emit }) {
    this.#workspace = options.workspace;
    this.#emit = options.emit;
  }

  /** Passes on what the agent says, and learns from it. */
  readonly emit = async (body: RunnerEventBody): Promise<void> => {
    if (body.type === "step.started" && !this.#begun) {
      this.#begun = true;
      this.#timer = setTimeout(() => void this.#open(), START_AFTER_MS);
    }
    if (body.type === "file.changed") {
      if (this.#watch !== null) (await this.#watch)?.told(body.data.path);
      else if (this.#told.size < TOLD_MAX) this.#told.add(body.data.path);
    }
    await this.#emit(body);
  };

  /** Tells what has not been told yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#begun) return;
    await using watch = await this.#open();
    await watch?.tellAll();
  }

  /** Null where there is nothing to watch: a step may have removed the workspace itself. */
  #open(): Promise<FileWatch | null> {
    this.#watch ??= (async () => {
      const { FileWatch } = await import("./files.ts");
      return FileWatch.open({
        workspace: this.#workspace,
        since_ms: this.#since_ms,
        told: this.#told,
        emit: this.#emit,
      });
    })().catch(() => null);
    return this.#watch;
  }
}
