import type { RunnerEventBody, StepTool } from "../contract/event.ts";
import type { Blobs } from "./blobs.ts";
import { cutToJsonBytes } from "./event-text.ts";
import type { ToolResult } from "./process/tool-processes.ts";
import { OutputAllowance, StepOutput } from "./step-output.ts";
import type { Display, StepContext } from "./tools/tool.ts";
import { unifiedDiff } from "./unified-diff.ts";

/** Parts of an event, as JSON, so that the whole stays below EVENT_MAX_BYTES. */
export const TITLE_MAX_BYTES = 200;
const CODE_MAX_BYTES = 15 * 1024;
const TEXT_MAX_BYTES = 15 * 1024;
const MESSAGE_MAX_BYTES = 2000;
const PATH_MAX_BYTES = 4096;
const MIME_MAX_CHARS = 100;
const SIGNAL_MAX_CHARS = 16;
/** What one step may show; a loop that draws for ever would otherwise use up the events and blobs of the job. */
const DISPLAYS_MAX_PER_STEP = 100;

type Emit = (body: RunnerEventBody) => Promise<void>;

export type StepsOptions = {
  emit: Emit;
  blobs: Blobs;
  /** How many steps the job has had already: the next one has the number after it. */
  first: number;
  /** Bytes of output kept, over all steps; the contract's bound when left out. */
  output_max_bytes?: number | undefined;
};

/** What a step does: `title` is one line for people, `code` what is carried out. Both may have any length. */
export type StepSubject = { tool: StepTool; title: string; code: string };

/** A step that has been said to have started. */
export interface OpenStep {
  readonly context: StepContext;
  /** Says how it ended, after all of its output. Afterwards its context takes nothing more. Again: does nothing. Rejects with what `emit` threw. */
  end(result: ToolResult): Promise<void>;
}

/** The steps of a job, numbered from 1: the one place where a step becomes events. */
export class Steps {
  readonly #emit: Emit;
  readonly #blobs: Blobs;
  readonly #allowance: OutputAllowance;
  #last: number;
  #blobs_said = false;

  constructor(options: StepsOptions) {
    this.#emit = options.emit;
    this.#blobs = options.blobs;
    this.#allowance = new OutputAllowance(options.emit, options.output_max_bytes);
    this.#last = options.first;
  }

  /** The number of the step that began last; `first` before there was one. */
  get last(): number {
    return this.#last;
  }

  /** Begins a step that somebody else carries out; several may be open at a time. */
  async begin(subject: StepSubject, signal: AbortSignal): Promise<OpenStep> {
    this.#last += 1;
    const number = this.#last;
    const code = cutToJsonBytes(subject.code, CODE_MAX_BYTES);
    const code_blob = code === subject.code ? null : await this.#save(Buffer.from(subject.code));
    const title = cutToJsonBytes(subject.title, TITLE_MAX_BYTES);
    await this.#emit({
      type: "step.started",
      data: { step: number, tool: subject.tool, title, code, code_blob },
    });
    const output = new StepOutput(number, this.#emit, this.#allowance);
    let open = true;
    let displays = 0;
    const context: StepContext = {
      number,
      signal,
      output: async (stream, chunk) => {
        if (open) await output.write(stream, chunk);
      },
      display: async (display) => {
        if (!open || displays > DISPLAYS_MAX_PER_STEP) return;
        displays += 1;
        await this.#display(number, displays > DISPLAYS_MAX_PER_STEP ? tooMany() : display);
      },
      fileChanged: async (path, before, after) => {
        if (open && before !== after) await this.#fileChanged(path, before, after);
      },
    };
    const end = async (result: ToolResult): Promise<void> => {
      if (!open) return;
      open = false;
      await output.end();
      await this.#emit({ type: "step.ended", data: endOf(number, result) });
    };
    return { context, end };
  }

  /**
   * Carries one step out. Returns what `work` returned, and the step's number. When `work` throws, the step ends as one that could not be
   * carried out, and the error goes on.
   */
  async run<R extends ToolResult>(
    subject: StepSubject,
    signal: AbortSignal,
    work: (context: StepContext) => Promise<R>,
  ): Promise<R & { step: number }> {
    const begun = performance.now();
    const step = await this.begin(subject, signal);
    try {
      const result = await work(step.context);
      await step.end(result);
      return { ...result, step: step.context.number };
    } catch (error) {
      const message = "The step ended because of a fault in the runner.";
      const duration_ms = performance.now() - begun;
      const ended = { cause: "not_started" as const, exit_code: null, signal: null, message, duration_ms };
      // When events can be kept no more this fails too, and the error below says so.
      await step.end(ended).catch(() => undefined);
      throw error;
    }
  }

  async #display(step: number, { mime, content, text }: Display): Promise<void> {
    const shown = text === null ? null : cutToJsonBytes(text, TEXT_MAX_BYTES);
    const whole = content.length === 0 || (mime === "text/plain" && shown === content.toString("utf8"));
    const blob = whole ? null : await this.#save(content);
    const data = { step, mime: mime.slice(0, MIME_MAX_CHARS).toWellFormed(), blob, text: shown };
    await this.#emit({ type: "step.displayed", data });
  }

  async #fileChanged(path: string, before: string | null, after: string | null): Promise<void> {
    const change = before === null ? "created" : after === null ? "deleted" : "modified";
    const whole = await unifiedDiff(path, before, after);
    const diff = whole === null ? null : cutToJsonBytes(whole, TEXT_MAX_BYTES);
    const cut = diff !== whole;
    const diff_blob = whole !== null && cut ? await this.#save(Buffer.from(whole)) : null;
    const content = Buffer.from(after ?? "");
    // A diff that is there whole says what the content is.
    const blob = after !== null && (diff === null || cut) ? await this.#save(content) : null;
    const size_bytes = content.length;
    const told = cutToJsonBytes(path, PATH_MAX_BYTES);
    await this.#emit({
      type: "file.changed",
      data: { path: told, change, size_bytes, blob, diff, diff_blob },
    });
  }

  /** Keeps a blob; when the job's bound is passed, that is said once. */
  async #save(content: Buffer): Promise<string | null> {
    const sha256 = await this.#blobs.save(content);
    if (sha256 !== null || this.#blobs_said || !this.#blobs.exceeded) return sha256;
    this.#blobs_said = true;
    const limit_value = this.#blobs.max_bytes;
    const message = `What the job showed and changed takes more than ${limit_value} bytes; the rest is not kept, and the job goes on.`;
    await this.#emit({ type: "limit.reached", data: { limit: "blobs", message, limit_value, value: null } });
    return null;
  }
}

/** Whether a step did what it was to do. */
export function isOk(result: ToolResult): boolean {
  return result.cause === "exited" && result.exit_code === 0;
}

/** The end of a step that ran when its sandbox died: whoever takes over says it. */
export function lostStep(step: number): RunnerEventBody {
  const message = "The sandbox died while the step ran, and another one took over.";
  const lost = { cause: "reaper_lost" as const, exit_code: null, signal: null, message, duration_ms: 0 };
  return { type: "step.ended", data: endOf(step, lost) };
}

function endOf(step: number, result: ToolResult) {
  const { cause, exit_code, duration_ms } = result;
  const signal = result.signal?.slice(0, SIGNAL_MAX_CHARS) ?? null;
  const message = result.message === null ? null : cutToJsonBytes(result.message, MESSAGE_MAX_BYTES);
  return { step, cause, exit_code, signal, message, duration_ms, ok: isOk(result) };
}

function tooMany(): Display {
  const text = `This step shows more than ${DISPLAYS_MAX_PER_STEP} outputs; the rest is not kept.`;
  return { mime: "text/plain", content: Buffer.alloc(0), text };
}
