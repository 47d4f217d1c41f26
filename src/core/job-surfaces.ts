import type { Duplex } from "node:stream";
import { AppError } from "../contract/errors.ts";
import type { LiveTarget } from "../contract/live.ts";
import type { PortList, ServiceName, ServiceReady, TerminalList } from "../contract/surfaces.ts";
import type { Clock } from "./clock.ts";
import type { CurrentJob } from "./current-job.ts";
import { DesktopLease } from "./desktop-control.ts";
import type { EndingOnce } from "./ending.ts";
import { isAtWork } from "./lifecycle.ts";
import type { LiveLink, SandboxLink } from "./link.ts";

/** A person at work is told to the runner at most this often. */
const TOUCH_EVERY_MS = 5_000;

type Needs = {
  /** The living link; null while there is none. */
  link: () => SandboxLink | null;
  ending: Pick<EndingOnce, "signal">;
  /** Counts as activity of the job. */
  touch: () => void;
  /** A fault that keeps the job from going on. */
  failed: (error: unknown) => void;
  records_terminals: boolean;
  clock: Clock;
};

/**
 * What people use live of one job. Every method throws AppError `conflict` while the job does not work (yet, or any more) and `link_lost`
 * when its sandbox does not answer at the moment.
 */
export class JobSurfaces {
  /** Aborted, with AppError `conflict` as the reason, as soon as the job is ending. */
  readonly ended: AbortSignal;
  /** Who looks at the desktop, and who drives it. */
  readonly desktop: DesktopLease;
  readonly #job: Pick<CurrentJob, "record" | "state">;
  readonly #needs: Needs;
  #touched_at = Number.NEGATIVE_INFINITY;

  constructor(job: Pick<CurrentJob, "record" | "state" | "apply">, needs: Needs) {
    this.#job = job;
    this.#needs = needs;
    const ended = new AbortController();
    this.ended = ended.signal;
    const end = (): void => ended.abort(surfacesEnded(job.record.job_id));
    if (needs.ending.signal.aborted) end();
    else needs.ending.signal.addEventListener("abort", end, { once: true });
    this.desktop = new DesktopLease(job, {
      clock: needs.clock,
      ended: this.ended,
      tell: async (control) => needs.link()?.live.desktop(control, this.ended),
      failed: needs.failed,
    });
  }

  get job_id(): string {
    return this.#job.record.job_id;
  }

  /** Whether what a new terminal of this job shows is recorded. */
  get records_terminals(): boolean {
    return this.#needs.records_terminals;
  }

  /** A stream of bytes as surfaces.ts says, which is destroyed when the job is ending. The signal ends the opening only. */
  async connect(target: LiveTarget, signal: AbortSignal): Promise<Duplex> {
    const stream = await this.#live().connect(target, signal);
    const cut = (): void => void stream.destroy(this.ended.reason);
    if (this.ended.aborted) cut();
    this.ended.addEventListener("abort", cut, { once: true });
    stream.once("close", () => this.ended.removeEventListener("abort", cut));
    return stream;
  }

  service(name: ServiceName, signal: AbortSignal): Promise<ServiceReady> {
    return this.#live().service(name, signal);
  }

  ports(signal: AbortSignal): Promise<PortList> {
    return this.#live().ports(signal);
  }

  terminals(signal: AbortSignal): Promise<TerminalList> {
    return this.#live().terminals(signal);
  }

  endTerminal(id: string, signal: AbortSignal): Promise<void> {
    return this.#live().endTerminal(id, signal);
  }

  screen(signal: AbortSignal): Promise<Buffer> {
    return this.#live().screen(signal);
  }

  /** A person is at work in the sandbox right now: neither idle clock nor lingering ends the job meanwhile. Never throws. */
  touch(): void {
    this.#needs.touch();
    const now = Date.parse(this.#needs.clock.now());
    const link = this.#needs.link();
    if (link === null || now - this.#touched_at < TOUCH_EVERY_MS) return;
    this.#touched_at = now;
    // A sandbox that cannot be told is either lost, which others find out, or of a release that knows nothing of people.
    link.live.touch(this.ended).catch(() => undefined);
  }

  #live(): LiveLink {
    this.ended.throwIfAborted();
    const { job_id } = this.#job.record;
    if (!isAtWork(this.#job.state)) {
      throw new AppError({
        code: "conflict",
        message: `Job ${job_id} is ${this.#job.state.phase}: its sandbox cannot be used yet.`,
        hint: "Try again when it works.",
      });
    }
    const link = this.#needs.link();
    if (link !== null) return link.live;
    throw new AppError({
      code: "link_lost",
      message: `The sandbox of job ${job_id} does not answer at the moment.`,
      hint: "Try again in a moment.",
    });
  }
}

export function surfacesEnded(job_id: string): AppError {
  return new AppError({
    code: "conflict",
    message: `Job ${job_id} has ended, and its sandbox with it.`,
    hint: "Its files, screen captures, events and logs can still be read, and its ZIP downloaded.",
  });
}
