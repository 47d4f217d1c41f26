import type { ToolResult } from "../../process/tool-processes.ts";
import type { OpenStep, Steps } from "../../steps.ts";
import { changeOf, pathToTell } from "./file-change.ts";
import { diffsOf, exitCodeOf, imagesOf, type KnownCall, outputOf, subjectOf } from "./tool-call.ts";

export type CallStepOptions = { steps: Steps; signal: AbortSignal; home: string; workspace: string };

/** One tool call of an agent CLI as a step of the job. */
export class CallStep {
  readonly #step: OpenStep;
  readonly #options: CallStepOptions;
  readonly #begun = performance.now();
  #shown = "";
  #images = 0;

  private constructor(step: OpenStep, options: CallStepOptions) {
    this.#step = step;
    this.#options = options;
  }

  static async begin(call: KnownCall, options: CallStepOptions): Promise<CallStep> {
    return new CallStep(await options.steps.begin(subjectOf(call), options.signal), options);
  }

  /** Says what is new in the call's output: agents tell all of it each time. */
  async show(call: KnownCall): Promise<void> {
    const text = outputOf(call);
    const goes_on = text.startsWith(this.#shown);
    const news = goes_on ? text.slice(this.#shown.length) : text;
    if (text !== "") this.#shown = text;
    // What a command printed, and not that it failed, is what its output shows.
    const stream = call.status === "failed" && call.kind !== "execute" ? "stderr" : "stdout";
    if (news !== "") await this.#step.context.output(stream, Buffer.from(news));
    const images = imagesOf(call);
    for (const { mime, base64 } of images.slice(this.#images))
      await this.#step.context.display({ mime, content: Buffer.from(base64, "base64"), text: null });
    this.#images = Math.max(this.#images, images.length);
  }

  /** Says what the call changed, and ends the step as the agent says that it ended. */
  async over(call: KnownCall): Promise<void> {
    const failed = call.status === "failed";
    for (const diff of failed ? [] : diffsOf(call.content)) {
      const { before, after } = await changeOf(diff, this.#options.home);
      await this.#step.context.fileChanged(pathToTell(diff.path, this.#options), before, after);
    }
    const exit_code = exitCodeOf(call) ?? (failed ? 1 : 0);
    await this.end({
      cause: "exited",
      exit_code: failed && exit_code === 0 ? 1 : exit_code,
      signal: null,
      message: null,
    });
  }

  async end(result: Omit<ToolResult, "duration_ms">): Promise<void> {
    await this.#step.end({ ...result, duration_ms: performance.now() - this.#begun });
  }
}
