import { AppError } from "../contract/errors.ts";
import { decodeOutput, EVENTS_MAX_PER_JOB, type RunnerEvent } from "../contract/event.ts";
import { OUTPUT_MAX_BYTES } from "../contract/event-bounds.ts";
import type { Usage } from "../contract/job.ts";
import type { CurrentJob } from "./current-job.ts";
import type { Dependencies } from "./dependencies.ts";
import { type EndingOnce, endingOfAgent } from "./ending.ts";
import { isAtWork, waitingOrNot } from "./lifecycle.ts";
import type { SandboxLink } from "./link.ts";

/** Output is cut by the runner at OUTPUT_MAX_BYTES; one that sends this much more ignores the rule. */
const OUTPUT_SLACK_BYTES = 1024 * 1024;
/** All events of a job as JSON: output that needs escapes grows sixfold at most, and the rest is small. */
const EVENT_BYTES_MAX = 8 * OUTPUT_MAX_BYTES;
/** Blobs that are not kept and are told in the log, for each job: a runner that lies names as many as it likes. */
const LOST_BLOBS_LOGGED_MAX = 20;

/** Takes a runner's events from its link into the store, and holds the runner to its bounds. */
export class Pump {
  readonly #job: CurrentJob;
  readonly #ending: EndingOnce;
  readonly #dependencies: Pick<Dependencies, "artifacts" | "clock" | "log">;
  #active_at = 0;
  #agent_ended: boolean;
  #bytes = 0;
  #lost_blobs = 0;

  constructor(
    job: CurrentJob,
    ending: EndingOnce,
    dependencies: Pick<Dependencies, "artifacts" | "clock" | "log">,
  ) {
    this.#job = job;
    this.#ending = ending;
    this.#dependencies = dependencies;
    this.#agent_ended = isAtWork(job.state) && job.state.ending !== null;
  }

  /** When something last happened that counts against the idle clock, in ms since 1970. */
  get active_at(): number {
    return this.#active_at;
  }

  /** True once the agent said that it is done. */
  get agent_ended(): boolean {
    return this.#agent_ended;
  }

  touch(): void {
    this.#active_at = Date.parse(this.#dependencies.clock.now());
  }

  /**
   * Stores and acknowledges batch by batch, until the agent said that it is done (that becomes the ending, unless an earlier cause stands).
   * Throws what the link throws, and AppError `protocol_violated` when a bound is passed.
   */
  async run(link: SandboxLink, stop: AbortSignal): Promise<void> {
    const { epoch } = link.hello;
    const { runner_epoch, runner_n } = this.#job.state;
    const after = runner_epoch === epoch ? runner_n : 0;
    for await (const batch of link.events(after, stop)) {
      this.#check(batch);
      await this.#keepBlobs(link, batch, stop);
      const ended = batch.find((event) => event.type === "agent.ended");
      const ending = ended === undefined ? null : endingOfAgent(ended.data);
      // The ending is stored with the event: an orchestrator that comes back must not wait for an event that it has.
      const kept = ending === null || this.#ending.value !== null ? {} : { ending };
      await this.#job.takeIn(epoch, batch, ({ usage }) => ({ usage: accounted(usage, batch), ...kept }));
      const lingering = lingeringAfter(batch);
      if (lingering !== null) await this.#job.apply((state) => waitingOrNot(state, { lingering }, []));
      if (batch.some((event) => event.type !== "metrics.sampled")) this.touch();
      await link.ack(this.#job.state.runner_n, stop);
      if (ending === null) continue;
      this.#agent_ended = true;
      this.#ending.set(ending);
      return;
    }
  }

  #check(batch: RunnerEvent[]): void {
    for (const event of batch) this.#bytes += JSON.stringify(event.data).length;
    const { output_bytes } = accounted(this.#job.state.usage, batch);
    const n = batch.at(-1)?.n ?? 0;
    if (
      n > EVENTS_MAX_PER_JOB ||
      output_bytes > OUTPUT_MAX_BYTES + OUTPUT_SLACK_BYTES ||
      this.#bytes > EVENT_BYTES_MAX
    )
      throw new AppError({
        code: "protocol_violated",
        message: `The runner sent more than it may (${n} events, ${output_bytes} bytes of output).`,
      });
  }

  /** Fetches what events name before they are stored, so that nobody sees a name without its content. */
  async #keepBlobs(link: SandboxLink, batch: RunnerEvent[], signal: AbortSignal): Promise<void> {
    const { artifacts, log } = this.#dependencies;
    for (const sha256 of batch.flatMap(blobsOf)) {
      try {
        await artifacts.saveBlob(this.#job.record.job_id, sha256, await link.blob(sha256, signal));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        // The link lives, but this answer does not come: to ask for the same again and again would hold the job for ever.
        if (error.code === "link_lost" && !link.lost.aborted)
          throw new AppError({
            code: "protocol_violated",
            message: `The runner named a blob ${sha256} and does not give it.`,
          });
        if (error.code !== "body_too_large" && error.code !== "not_found") throw error;
        this.#lost_blobs += 1;
        if (this.#lost_blobs > LOST_BLOBS_LOGGED_MAX) continue;
        log("warn", "A blob was not kept.", {
          job_id: this.#job.record.job_id,
          sha256,
          error: error.message,
        });
      }
    }
  }
}

/** What a job has used when these events are counted too. */
function accounted(before: Usage, batch: RunnerEvent[]): Usage {
  const usage = { ...before };
  for (const event of batch) {
    if (event.type === "step.output") usage.output_bytes += decodeOutput(event.data).length;
    if (event.type !== "metrics.sampled") continue;
    usage.cpu_ms = Math.max(usage.cpu_ms, event.data.cpu_ms);
    usage.memory_peak_bytes = Math.max(usage.memory_peak_bytes, event.data.memory_peak_bytes);
  }
  return usage;
}

/** Whether the agent waits for a message after these events; null when they say nothing of it. */
function lingeringAfter(batch: RunnerEvent[]): boolean | null {
  let lingering: boolean | null = null;
  for (const event of batch) {
    if (event.type === "agent.waiting") lingering = true;
    if (event.type === "agent.ended" || (event.type === "message.said" && event.data.from === "person"))
      lingering = false;
  }
  return lingering;
}

function blobsOf(event: RunnerEvent): string[] {
  const named = (...names: (string | null)[]): string[] => names.filter((name) => name !== null);
  if (event.type === "step.started") return named(event.data.code_blob);
  if (event.type === "step.displayed" || event.type === "screen.captured") return named(event.data.blob);
  if (event.type === "file.changed") return named(event.data.blob, event.data.diff_blob);
  return [];
}
