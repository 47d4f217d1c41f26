import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { AnyMessage, Stream } from "@agentclientprotocol/sdk";
import { AppError } from "../../../contract/errors.ts";
import {
  KILL_WAIT_MS,
  type RunningTool,
  resultOf,
  TERM_GRACE_MS,
  type ToolProcesses,
  type ToolResult,
} from "../../process/tool-processes.ts";
import { JsonLines } from "./json-lines.ts";

/** The end of what a CLI wrote beside the protocol, for the message of its failure: as JSON, so that the whole message is not cut. */
const LOG_MAX_BYTES = 1_500;
/** A CLI that writes this many lines to its standard output that are no messages does not speak the protocol. */
const OTHER_LINES_MAX = 1_000;

export type CliProcessOptions = {
  processes: ToolProcesses;
  argv: [string, ...string[]];
  cwd: string;
  env: Record<string, string>;
  /** Where the program is to be had, for the message when the image lacks it. */
  template: string;
  /** Waited for before more of the CLI's output is read. */
  ready(): Promise<void>;
};

/** The process of an agent CLI under the reaper, and the protocol's messages on its standard input and output. Disposal ends it. */
export class CliProcess implements AsyncDisposable {
  readonly messages: Stream;
  /** Resolves with what to say when it can be talked to no more, whatever the cause; never rejects. */
  readonly failure: Promise<AppError>;
  readonly #options: CliProcessOptions;
  readonly #lines = new JsonLines();
  readonly #failed = Promise.withResolvers<AppError>();
  readonly #incoming: WritableStreamDefaultWriter<AnyMessage>;
  #log = "";
  #other_lines = 0;
  #out_of_memory = false;
  #tool: RunningTool | null = null;

  private constructor(options: CliProcessOptions) {
    this.#options = options;
    this.failure = this.#failed.promise;
    const incoming = new TransformStream<AnyMessage, AnyMessage>();
    this.#incoming = incoming.writable.getWriter();
    // Nobody reads any more once the connection is closed.
    this.#incoming.closed.catch(() => undefined);
    const writable = new WritableStream<AnyMessage>({ write: (message) => this.#write(message) });
    this.messages = { readable: incoming.readable, writable };
  }

  /** Starts it. Throws AppError when that cannot be done at all; a program that is missing shows in `failure`. */
  static async start(options: CliProcessOptions): Promise<CliProcess> {
    const cli = new CliProcess(options);
    const { processes, argv, cwd, env } = options;
    const kills_before = await processes.oomKills();
    const onOutput = (stream: "stdout" | "stderr", chunk: Buffer): Promise<void> =>
      stream === "stdout" ? cli.#read(chunk) : cli.#note(chunk.toString("utf8"));
    const tool = await processes.start({ argv, cwd, env, stdin: "pipe", onOutput });
    if (typeof tool === "string") throw new AppError({ code: "not_available", message: tool });
    cli.#tool = tool;
    void cli.#watch(tool, kills_before);
    return cli;
  }

  /** Whether the kernel ended it for lack of memory. */
  get out_of_memory(): boolean {
    return this.#out_of_memory;
  }

  /** What it wrote last beside the protocol, as a sentence to append; empty when it wrote nothing. */
  get last_words(): string {
    let words = stripVTControlCharacters(this.#log).trim();
    while (Buffer.byteLength(JSON.stringify(words)) > LOG_MAX_BYTES) words = words.slice(words.length / 4);
    return words === "" ? "" : ` The last that it wrote: ${words.toWellFormed()}`;
  }

  /** Asks it to end, kills it when it does not, and waits until none of its processes is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#tool === null) return;
    const { reaper } = this.#tool;
    const waited = new AbortController();
    const within = (ms: number) => sleep(ms, undefined, { signal: waited.signal }).catch(() => undefined);
    reaper.terminate();
    await Promise.race([reaper.toolEnded, within(TERM_GRACE_MS)]);
    reaper.kill();
    await Promise.race([reaper.gone, within(KILL_WAIT_MS)]);
    waited.abort();
  }

  async #watch(tool: RunningTool, kills_before: number | null): Promise<void> {
    const { processes, argv, cwd } = this.#options;
    const end = await tool.reaper.toolEnded;
    const result = resultOf(end, { argv, cwd, signal: new AbortController().signal });
    // What it wrote last says more than its exit code.
    await tool.finish().catch(() => undefined);
    const told = await processes.forMemory(result, kills_before).catch(() => result);
    this.#fail(this.#endOf(told, end.kind === "error" && end.stage === "exec" && end.error === "ENOENT"));
  }

  #endOf(result: Omit<ToolResult, "duration_ms">, missing: boolean): AppError {
    const { argv, template } = this.#options;
    if (missing) {
      const message = `The program ${argv[0]} is not in this image. Choose the template ${template}, whose image has it, or add it to the image.`;
      return new AppError({ code: "not_available", message });
    }
    const how =
      result.cause === "exited"
        ? `The agent's program ${argv[0]} ended by itself with exit code ${result.exit_code}.`
        : result.cause === "signalled"
          ? `The agent's program ${argv[0]} was ended by ${result.signal}.`
          : (result.message ?? `The agent's program ${argv[0]} ended (${result.cause}).`);
    this.#out_of_memory = result.cause === "out_of_memory";
    return new AppError({ code: "not_available", message: how + this.last_words });
  }

  #fail(error: AppError): void {
    this.#failed.resolve(error);
  }

  async #read(chunk: Buffer): Promise<void> {
    await this.#options.ready();
    let messages: object[];
    try {
      messages = this.#lines.push(chunk, (line) => this.#other(line));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      return this.#fail(
        new AppError({ code: "not_available", message: `The agent was ended: ${why}.`, cause }),
      );
    }
    // The library looks at each before it takes it for a message; it reads none when the connection is closed.
    for (const message of messages) await this.#incoming.write(message as AnyMessage).catch(() => undefined);
  }

  #other(line: string): void {
    this.#other_lines += 1;
    this.#note(`${line}\n`);
    if (this.#other_lines <= OTHER_LINES_MAX) return;
    const message = `The agent's program ${this.#options.argv[0]} does not speak the Agent Client Protocol: it writes other things to its standard output.${this.last_words}`;
    this.#fail(new AppError({ code: "not_available", message }));
  }

  async #note(text: string): Promise<void> {
    this.#log = (this.#log + text).slice(-LOG_MAX_BYTES);
  }

  async #write(message: AnyMessage): Promise<void> {
    const input = this.#tool?.reaper.input;
    if (
      input === null ||
      input === undefined ||
      input.destroyed ||
      input.write(`${JSON.stringify(message)}\n`)
    )
      return;
    const written = Promise.withResolvers<void>();
    const settle = () => written.resolve();
    input.once("drain", settle).once("close", settle);
    await written.promise;
    input.off("drain", settle).off("close", settle);
  }
}
