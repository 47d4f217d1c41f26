import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ToolEnd } from "../../process/reaper.ts";
import type { RunningTool, ToolProcesses } from "../../process/tool-processes.ts";
import { type CellOutput, type KernelLine, KernelLines } from "./kernel-line.ts";

/** Where Jupyter Lab finds the kernel. */
export function connectionFile(home: string): string {
  return join(home, ".sealwork", "kernel.json");
}

export type KernelStart = {
  processes: ToolProcesses;
  helper_path: string;
  home: string;
  workspace: string;
  /** A folder for its sockets, with a short path because theirs end at 107 bytes; the same for kernels that take each other's place. */
  sockets: string;
  env: Record<string, string>;
};

export type CellRun = {
  code: string;
  /** The kernel has come to this cell: before, it may run what other people started. */
  onBegun(): void;
  onOutput(output: CellOutput): Promise<void>;
};

/** How a cell ended: answered, or with the death of its kernel (`code` is negative for a signal, null when nobody knows). */
export type CellEnd = { done: { status: string; count: number | null } } | { died: { code: number | null } };

/** A Jupyter kernel with the program that speaks for it, and that starts another one in the place of one that ended. */
export class KernelProcess implements AsyncDisposable {
  readonly #tool: RunningTool;
  readonly #sockets: string;
  readonly #ready = Promise.withResolvers<string | null>();
  readonly #died = Promise.withResolvers<{ code: number | null }>();
  #has_died = false;
  #values_lost = false;
  #cell: (CellRun & { id: number; done(end: CellEnd): void }) | null = null;
  #cells = 0;

  private constructor(tool: RunningTool, sockets: string) {
    this.#tool = tool;
    this.#sockets = sockets;
    tool.reaper.toolEnded.then((end) => this.#ended(end));
  }

  /** Starts a kernel and waits until it answers. A sentence when it does not, such as that the image has none. */
  static async start(options: KernelStart, signal: AbortSignal): Promise<KernelProcess | string> {
    const { processes, home, workspace, sockets, env, helper_path } = options;
    const lines = new KernelLines();
    let kernel: KernelProcess | null = null;
    try {
      await mkdir(dirname(connectionFile(home)), { recursive: true });
      await mkdir(sockets, { recursive: true, mode: 0o700 });
    } catch (error) {
      return `The Python kernel could not be started: ${error instanceof Error ? error.message : String(error)}`;
    }
    const tool = await processes.start({
      argv: ["python3", "-u", helper_path, connectionFile(home), sockets, workspace],
      cwd: workspace,
      env,
      stdin: "pipe",
      async onOutput(stream, chunk) {
        if (stream === "stdout") for (const line of lines.add(chunk)) await kernel?.take(line);
      },
    });
    if (typeof tool === "string") {
      await rm(sockets, { recursive: true, force: true });
      return tool;
    }
    kernel = new KernelProcess(tool, sockets);
    const stop = (): void => tool.reaper.kill();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const refused = await kernel.#ready.promise;
    signal.removeEventListener("abort", stop);
    if (refused === null) return kernel;
    await kernel[Symbol.asyncDispose]();
    return refused;
  }

  /** Whether no cell can be run any more. */
  get hasDied(): boolean {
    return this.#has_died;
  }

  /** Whether values of earlier cells were lost since this was last asked: a kernel ended and another one took its place. */
  takeLoss(): boolean {
    const lost = this.#values_lost;
    this.#values_lost = false;
    return lost;
  }

  /** Runs one cell, while no other runs; its outputs come one after the other, each after the last was taken. */
  execute(cell: CellRun): Promise<CellEnd> {
    const { promise, resolve } = Promise.withResolvers<CellEnd>();
    this.#cells += 1;
    this.#cell = { ...cell, id: this.#cells, done: resolve };
    this.#order({ op: "execute", id: this.#cells, code: cell.code });
    return Promise.race([promise, this.#died.promise.then((died) => ({ died }))]);
  }

  /** As an interrupt from a keyboard: the cell ends with KeyboardInterrupt, values are kept. */
  interrupt(): void {
    this.#order({ op: "interrupt" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tool.reaper.kill();
    await this.#tool.reaper.gone;
    await rm(this.#sockets, { recursive: true, force: true }).catch(() => undefined);
  }

  async take(line: KernelLine): Promise<void> {
    if (line.event === "ready") this.#ready.resolve(null);
    else if (line.event === "failed") this.#ready.resolve(`The Python kernel did not start: ${line.message}`);
    else if (line.event === "missing") this.#ready.resolve(missing(line.module));
    else if (line.event === "died") this.#lose(line.code);
    else if (this.#cell?.id !== line.id) return;
    else if (line.event === "begun") this.#cell.onBegun();
    else if (line.event === "done") this.#cell.done({ done: { status: line.status, count: line.count } });
    else await this.#cell.onOutput(line);
  }

  #order(order: object): void {
    const { input } = this.#tool.reaper;
    if (input !== null && !input.destroyed) input.write(`${JSON.stringify(order)}\n`);
  }

  async #ended(end: ToolEnd): Promise<void> {
    // It may have said why, in lines that are read only now.
    await this.#tool.finish().catch(() => undefined);
    const why =
      end.kind === "error" && end.error === "ENOENT" && end.stage === "exec"
        ? "Python (python3) is not in this image: choose a template that has it, or use shell."
        : "The Python kernel ended before it was ready.";
    this.#ready.resolve(why);
    this.#die(end.kind === "exit" ? end.code : end.kind === "signal" ? -end.number : null);
  }

  #lose(code: number | null): void {
    this.#values_lost = true;
    this.#cell?.done({ died: { code } });
  }

  #die(code: number | null): void {
    this.#has_died = true;
    this.#died.resolve({ code });
  }
}

function missing(module: string): string {
  return `The Python module ${module} is not in this image, so there is no kernel: add the Debian packages python3-ipykernel and python3-jupyter-client to the image, or run python3 in shell.`;
}
