import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ToolEnd } from "../../process/reaper.ts";
import {
  type OutputStream,
  type RunningTool,
  resultOf,
  type ToolProcesses,
  type ToolResult,
} from "../../process/tool-processes.ts";
import { outputsFolder } from "../kept-output.ts";
import { RollingFile } from "../rolling-file.ts";
import { type ApartRun, layOut } from "./apart.ts";

/** Processes that may run in the background at a time. */
const RUNNING_MAX = 16;
/** Ended ones whose output can still be read; with one more the oldest is forgotten. */
const ENDED_MAX = 32;
/** Of a title this much is shown in lists. */
const TITLE_MAX_CHARS = 120;

export type BackgroundView = {
  id: string;
  title: string;
  /** Null while it runs. */
  end: Omit<ToolResult, "duration_ms"> | null;
  age_ms: number;
};

type Entry = {
  view: BackgroundView;
  begun: number;
  tool: RunningTool;
  output: RollingFile;
  /** How much of the output has been read. */
  read_to: number;
  ended: Promise<void>;
  /** Whether somebody was told that it has ended. */
  told: boolean;
  changed: PromiseWithResolvers<void>;
};

/** Processes that go on while their agent does something else. Their output is on disk, bounded, and is read when somebody asks. */
export class BackgroundProcesses implements AsyncDisposable {
  readonly #options: { processes: ToolProcesses; home: string; scratch: string; env: Record<string, string> };
  readonly #entries = new Map<string, Entry>();
  #count = 0;

  constructor(options: {
    processes: ToolProcesses;
    home: string;
    scratch: string;
    env: Record<string, string>;
  }) {
    this.#options = options;
  }

  /** Starts a process and returns its id; a sentence in `refused` when it could not be started. */
  async start(run: ApartRun): Promise<{ id: string } | { refused: string }> {
    const running = [...this.#entries.values()].filter(({ view }) => view.end === null);
    if (running.length >= RUNNING_MAX)
      return { refused: `${RUNNING_MAX} background processes run already: end one first.` };
    const { processes, home } = this.#options;
    const id = `bg${++this.#count}`;
    const output = new RollingFile({ path: join(outputsFolder(home), `${id}.txt`) });
    let entry: Entry | null = null;
    const onOutput = async (_stream: OutputStream, chunk: Buffer): Promise<void> => {
      await output.append(chunk);
      entry?.changed.resolve();
    };
    const kills_before = await processes.oomKills();
    const files = await layOut({ ...this.#options, ...run });
    if (typeof files === "string") return { refused: files };
    const tool = await processes.start({
      ...files.start,
      stdin: run.pty ? "pipe" : null,
      onOutput,
    });
    if (typeof tool === "string") {
      await files[Symbol.asyncDispose]();
      return { refused: tool };
    }
    const view: BackgroundView = { id, title: run.code.slice(0, TITLE_MAX_CHARS), end: null, age_ms: 0 };
    const ended = this.#untilEnded(view, tool, output, kills_before).then(async () => {
      await files[Symbol.asyncDispose]();
      entry?.changed.resolve();
    });
    const changed = Promise.withResolvers<void>();
    entry = { view, begun: performance.now(), tool, output, read_to: 0, ended, told: false, changed };
    this.#entries.set(id, entry);
    this.#forgetOldest();
    return { id };
  }

  list(): BackgroundView[] {
    return [...this.#entries.values()].map(viewOf);
  }

  /** Those that have ended and whose end was not told here yet. */
  endedSinceAsked(): BackgroundView[] {
    const entries = [...this.#entries.values()].filter(({ view, told }) => view.end !== null && !told);
    for (const entry of entries) entry.told = true;
    return entries.map(viewOf);
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Sends a signal to its process group, `SIGKILL` to all that came of it. */
  signal(id: string, signal: "SIGINT" | "SIGTERM" | "SIGKILL"): void {
    const reaper = this.#entry(id).tool.reaper;
    if (signal === "SIGKILL") reaper.kill();
    else reaper.signal(constants.signals[signal]);
  }

  /** Types text into its terminal. False when it has none or has ended. */
  input(id: string, text: string): boolean {
    const { tool, view } = this.#entry(id);
    const { input } = tool.reaper;
    if (input === null || view.end !== null || input.destroyed) return false;
    input.write(text);
    return true;
  }

  /** Waits until it has written more or has ended, at most `wait_ms`. */
  async wait(id: string, wait_ms: number, signal: AbortSignal): Promise<void> {
    const entry = this.#entry(id);
    if (entry.view.end !== null || entry.output.end > entry.read_to) return;
    entry.changed = Promise.withResolvers<void>();
    const waited = new AbortController();
    const stop = AbortSignal.any([signal, waited.signal]);
    await Promise.race([
      entry.changed.promise,
      sleep(wait_ms, undefined, { signal: stop }).catch(() => undefined),
    ]);
    waited.abort();
  }

  /** Waits until it has ended, at most `wait_ms`. */
  async waitForEnd(id: string, wait_ms: number, signal: AbortSignal): Promise<void> {
    const waited = new AbortController();
    const stop = AbortSignal.any([signal, waited.signal]);
    const time = sleep(wait_ms, undefined, { signal: stop }).catch(() => undefined);
    await Promise.race([this.#entry(id).ended, time]);
    waited.abort();
  }

  /** The output that nobody has read, at most its last `max_bytes`; `left_out` is how much of it is passed over. */
  async read(
    id: string,
    max_bytes: number,
  ): Promise<{ view: BackgroundView; content: Buffer; left_out: number; path: string }> {
    const entry = this.#entry(id);
    const from = entry.read_to;
    const { begin, content } = await entry.output.read(from, max_bytes);
    entry.read_to = begin + content.length;
    entry.told ||= entry.view.end !== null;
    return { view: viewOf(entry), content, left_out: begin - from, path: entry.output.path };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#entries.values()];
    for (const { tool } of all) tool.reaper.kill();
    await Promise.all(all.map(({ ended }) => ended));
    await Promise.all(all.map(({ output }) => output[Symbol.asyncDispose]()));
    this.#entries.clear();
  }

  async #untilEnded(
    view: BackgroundView,
    tool: RunningTool,
    output: RollingFile,
    kills_before: number | null,
  ): Promise<void> {
    const end: ToolEnd = await tool.reaper.toolEnded;
    // Output that the disk does not take is lost; that its process has ended is not.
    await tool.finish().catch(() => undefined);
    await output[Symbol.asyncDispose]();
    const told = { argv: ["bash"] as const, cwd: "", signal: new AbortController().signal };
    view.end = await this.#options.processes.forMemory(resultOf(end, told), kills_before);
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new Error(`There is no background process ${id}.`);
    return entry;
  }

  #forgetOldest(): void {
    const ended = [...this.#entries.values()].filter(({ view }) => view.end !== null);
    for (const { view, output } of ended.slice(0, Math.max(0, ended.length - ENDED_MAX))) {
      this.#entries.delete(view.id);
      void output.remove();
    }
  }
}

function viewOf({ view, begun }: Entry): BackgroundView {
  return { ...view, age_ms: performance.now() - begun };
}
