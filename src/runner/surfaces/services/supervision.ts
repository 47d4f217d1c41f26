import { AppError } from "../../../contract/errors.ts";
import type { RunnerEventBody } from "../../../contract/event.ts";
import type { ServiceName } from "../../../contract/surfaces.ts";
import type { ToolProcesses } from "../../process/tool-processes.ts";
import { LivePart, type ServicePart } from "./live-part.ts";

/** A service that failed this often in a row is given up until it is used again. */
export const SERVICE_FAILURES_MAX = 5;
const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_MAX_MS = 8_000;
/** A failure after this long is the first of a row. */
const STABLE_MS = 60_000;
/** Parts that ended while what they started lives on; for one more the oldest loses it. */
const SPARED_MAX = 8;

export type SupervisionOptions = {
  name: ServiceName;
  /** As people read it, at the beginning of a sentence. */
  title: string;
  /** In the order of their start: each needs those before it, and is started again with them. */
  parts: readonly [ServicePart, ...ServicePart[]];
  processes: ToolProcesses;
  emit(body: RunnerEventBody): Promise<void>;
  /** Waits before it starts again; rejects when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Whether anybody uses it: one that fails is started again then. */
  used(): boolean;
};

type Cause = Extract<RunnerEventBody, { type: "service.ended" }>["data"]["cause"];
type Failure = { index: number; message: string };

/** One run of a service, from its start until it is stopped or given up. */
export class Supervision {
  /** Settles when all of its processes are gone. Rejects with what `emit` threw. */
  readonly ended: Promise<void>;
  readonly #options: SupervisionOptions;
  readonly #stop = new AbortController();
  readonly #live: LivePart[] = [];
  readonly #spared: LivePart[] = [];
  #up = pending();
  #is_up = false;

  constructor(options: SupervisionOptions) {
    this.#options = options;
    this.ended = this.#run();
    this.ended.catch((error: unknown) => this.#up.reject(error));
  }

  /** Whether all parts are ready at the moment. */
  get is_up(): boolean {
    return this.#is_up;
  }

  /** Whether it will not be started again. */
  get ending(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Resolves when all parts are ready. Rejects with AppError `conflict` when it is given up or stopped before. */
  up(): Promise<void> {
    return this.#up.promise;
  }

  /** Ends it; the first cause holds. With `job_end` nothing is given time to end by itself. */
  stop(cause: Exclude<Cause, "failed">): void {
    this.#stop.abort(cause);
  }

  async #run(): Promise<void> {
    const stop = this.#stop.signal;
    let failures = 0;
    while (!stop.aborted) {
      const begun = performance.now();
      const failure = (await this.#start(stop)) ?? (await this.#serve(begun, stop));
      if (failure === null) break;
      failures = performance.now() - begun > STABLE_MS ? 1 : failures + 1;
      const given_up = failures >= SERVICE_FAILURES_MAX || !this.#options.used();
      // Who comes from here on gets a run of his own.
      if (given_up) this.#stop.abort("failed" satisfies Cause);
      await this.#fail(failure);
      if (given_up) {
        await this.#endAll();
        this.#up.reject(this.#error(`could not be started. ${failure.message}`));
        return;
      }
      const delay_ms = Math.min(BACK_OFF_FIRST_MS * 2 ** (failures - 1), BACK_OFF_MAX_MS);
      await this.#options.wait(delay_ms, stop).catch(() => undefined);
    }
    this.#is_up = false;
    const cause: Exclude<Cause, "failed"> = stop.reason;
    this.#up.reject(this.#error("is just ending."));
    if (cause === "job_end") await Promise.all([...this.#live, ...this.#spared].map((live) => live.kill()));
    else await this.#endAll();
    await this.#say(cause, null);
  }

  /** Starts the parts that do not run. Null when all are ready, and when it was stopped. */
  async #start(stop: AbortSignal): Promise<Failure | null> {
    const { parts, processes } = this.#options;
    for (const [index, part] of parts.entries()) {
      const live = this.#live[index] ?? (await LivePart.start(part, processes));
      if (typeof live === "string") return { index, message: live };
      this.#live[index] = live;
      const failure = await this.#failureOf(index, stop);
      if (stop.aborted) return null;
      if (failure !== null) return failure;
    }
    return null;
  }

  /** Waits until a part that was started is ready; null then, and when it was stopped. */
  async #failureOf(index: number, stop: AbortSignal): Promise<Failure | null> {
    const message = (await this.#live[index]?.ready(stop)) ?? null;
    return message === null ? null : { index, message };
  }

  /** A part ends soon when one that it needs has ended, and may be heard of earlier: the one that it needs has failed then. */
  async #firstOf(failure: Failure, stop: AbortSignal): Promise<Failure> {
    for (let index = 0; index < failure.index; index += 1) {
      const earlier = await this.#failureOf(index, stop);
      if (earlier !== null) return earlier;
    }
    return failure;
  }

  /** Null when it was stopped, else which part ended. */
  async #serve(begun: number, stop: AbortSignal): Promise<Failure | null> {
    if (stop.aborted) return null;
    this.#is_up = true;
    this.#up.resolve();
    const duration_ms = performance.now() - begun;
    const stopped = Promise.withResolvers<null>();
    const onStop = (): void => stopped.resolve(null);
    stop.addEventListener("abort", onStop, { once: true });
    await this.#options.emit({
      type: "service.started",
      data: { service: this.#options.name, duration_ms },
    });
    const ends = this.#live.map(async (live, index) => ({ index, message: await live.ended }));
    const failure = await Promise.race([stopped.promise, ...ends]);
    stop.removeEventListener("abort", onStop);
    const first = failure === null ? null : await this.#firstOf(failure, stop);
    return stop.aborted ? null : first;
  }

  /** Ends what needs the part that failed, and says so. */
  async #fail({ index, message }: Failure): Promise<void> {
    // Who waits for a start that failed waits on for the next one.
    if (this.#is_up) this.#up = pending();
    this.#is_up = false;
    while (this.#live.length > index + 1) await this.#live.pop()?.end();
    const failed = this.#live[index];
    if (failed !== undefined) {
      this.#live.pop();
      if (failed.part.spares_children && failed.has_ended) this.#spared.push(failed);
      else await failed.kill();
      if (this.#spared.length > SPARED_MAX) await this.#spared.shift()?.kill();
    }
    for (const part of this.#options.parts.slice(index)) await part.cleanUp?.();
    await this.#say("failed", message);
  }

  /** The last part first, because it needs those before it. */
  async #endAll(): Promise<void> {
    for (const live of this.#live.toReversed()) await live.end();
    for (const live of this.#spared) await live.end();
    for (const part of this.#options.parts) await part.cleanUp?.();
  }

  #say(cause: Cause, message: string | null): Promise<void> {
    return this.#options.emit({
      type: "service.ended",
      data: { service: this.#options.name, cause, message },
    });
  }

  #error(what: string): AppError {
    return new AppError({ code: "conflict", message: `${this.#options.title} ${what}` });
  }
}

/** A promise that may be rejected without anybody waiting. */
function pending(): PromiseWithResolvers<void> {
  const resolvers = Promise.withResolvers<void>();
  resolvers.promise.catch(() => undefined);
  return resolvers;
}
