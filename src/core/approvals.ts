import { AppError } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import type { OpenApproval } from "../contract/job.ts";
import type { Decision } from "../contract/link.ts";
import type { Clock } from "./clock.ts";
import type { CurrentJob } from "./current-job.ts";
import { doneOrAborted } from "./done-or-aborted.ts";
import { isAtWork, waitingOrNot } from "./lifecycle.ts";
import { opening } from "./opened-hosts.ts";
import type { JobState } from "./store.ts";

/** Questions of one job that wait at the same time, and in all; what asks more often is not asking a person. */
const OPEN_MAX = 50;
const ASKED_MAX = 10_000;
/** Answers that are remembered, so that asking again is answered alike. */
const ANSWERED_MAX = 500;
/** Timers of the platform end at 2^31 ms, so a long wait is made of pieces. */
const CLOCK_STEP_MS = 3_600_000;
const TITLE_MAX_CHARS = 1_000;
const DETAIL_MAX_CHARS = 4_000;

/** `opens` is the host that a yes opens for the job; null for questions of another kind. */
export type Asked = Pick<OpenApproval, "kind" | "title" | "detail"> & { key: string; opens: string | null };
type By = Extract<EventBody, { type: "approval.given" }>["data"]["by"];
/** The questions of one job: stored before they are asked, answered once, by a person or by the clock. */
export class Approvals {
  readonly #job: CurrentJob;
  readonly #clock: Clock;
  readonly #ended: AbortSignal;
  readonly #changed = new EventTarget();
  readonly #answered: () => void;
  readonly #at_work = Promise.withResolvers<void>();

  /** `ended` aborts when nobody is asked any more; `answered` is told of each answer. */
  constructor(
    job: CurrentJob,
    options: {
      clock: Clock;
      ended: AbortSignal;
      answered: () => void;
    },
  ) {
    this.#job = job;
    this.#clock = options.clock;
    this.#ended = options.ended;
    this.#answered = options.answered;
  }

  /** To be called when the job is at work: sets the clocks of questions that were open when this orchestrator took the job up. */
  resume(): void {
    this.#at_work.resolve();
    for (const { n, expires_at } of this.#job.state.approvals) this.#arm(n, expires_at);
  }

  /** Resolves with the answer. A question with a known key is not asked again: it is waited for, or answered as before. */
  async ask(asked: Asked, signal: AbortSignal): Promise<Decision> {
    // An agent may ask before it is stored that it works.
    await this.#untilAtWork(signal);
    await this.#open(asked);
    while (true) {
      const changed = Promise.withResolvers<void>();
      const wake = (): void => changed.resolve();
      const stop = AbortSignal.any([signal, this.#ended]);
      this.#changed.addEventListener("changed", wake, { once: true });
      stop.addEventListener("abort", wake, { once: true });
      try {
        const { answered, approvals } = this.#job.state;
        const known = answered.find(({ key }) => key === asked.key);
        if (known !== undefined) return { n: known.n, decision: known.decision };
        signal.throwIfAborted();
        const open = approvals.find(({ key }) => key === asked.key);
        if (this.#ended.aborted || open === undefined) return { n: open?.n ?? 0, decision: "deny" };
        await changed.promise;
      } finally {
        this.#changed.removeEventListener("changed", wake);
        stop.removeEventListener("abort", wake);
      }
    }
  }

  /**
   * Answers the n-th question. The same answer again is no fault. Throws AppError `not_found` for a question that was never asked, and
   * `conflict` when it was answered otherwise.
   */
  async decide(n: number, decision: "allow" | "deny", by: By): Promise<void> {
    await this.#job.apply((state) => {
      const open = state.approvals.find((one) => one.n === n);
      if (open === undefined) {
        refuseUnlessSame(state, n, decision, this.#job.record.job_id);
        return null;
      }
      const host = decision === "allow" ? open.opens : null;
      const opened = host === null ? null : opening(this.#job.record, state, { host, by: "approval" });
      return waitingOrNot(
        state,
        {
          approvals: state.approvals.filter((one) => one.n !== n),
          answered: [...state.answered, { key: open.key, n, decision }].slice(-ANSWERED_MAX),
          ...opened?.change,
        },
        [{ type: "approval.given", data: { n, decision, by } }, ...(opened === null ? [] : [opened.event])],
      );
    });
    this.#answered();
    this.#changed.dispatchEvent(new Event("changed"));
  }

  async #untilAtWork(signal: AbortSignal): Promise<void> {
    await doneOrAborted(this.#at_work.promise, AbortSignal.any([signal, this.#ended]));
  }

  async #open(asked: Asked): Promise<void> {
    const { timeout_s } = this.#job.record.request.approval;
    const now = this.#clock.now();
    const expires_at = timeout_s === null ? null : new Date(Date.parse(now) + timeout_s * 1000).toISOString();
    let opened: number | null = null;
    await this.#job.apply((state) => {
      const known = [...state.approvals, ...state.answered].some(({ key }) => key === asked.key);
      if (known || !isAtWork(state)) return null;
      if (state.approvals.length >= OPEN_MAX || state.approvals_asked >= ASKED_MAX)
        throw new AppError({
          code: "conflict",
          message: `Job ${this.#job.record.job_id} asks too much: ${OPEN_MAX} questions may wait, ${ASKED_MAX} be asked in all.`,
        });
      const n = state.approvals_asked + 1;
      opened = n;
      const { key, kind, opens } = asked;
      const title = shown(asked.title, TITLE_MAX_CHARS);
      const detail = shown(asked.detail, DETAIL_MAX_CHARS);
      const approval = { key, opens, n, kind, title, detail, asked_at: now, expires_at };
      return waitingOrNot(state, { approvals: [...state.approvals, approval], approvals_asked: n }, [
        { type: "approval.asked", data: { n, kind, title, detail, expires_at } },
      ]);
    });
    if (opened !== null) this.#arm(opened, expires_at);
  }

  /** Silence until then means no. */
  #arm(n: number, expires_at: string | null): void {
    if (expires_at !== null) void this.#expire(n, Date.parse(expires_at));
  }

  async #expire(n: number, at_ms: number): Promise<void> {
    try {
      for (let left = at_ms - this.#now(); left > 0; left = at_ms - this.#now())
        await this.#clock.sleep(Math.min(left, CLOCK_STEP_MS), this.#ended);
      if (this.#job.state.approvals.some((open) => open.n === n)) await this.decide(n, "deny", "timeout");
    } catch {
      // The job ended first, or a person answered otherwise at the same moment.
    }
  }

  #now(): number {
    return Date.parse(this.#clock.now());
  }
}

/** Who decides must see that there is more than is shown. */
function shown(text: string, max_chars: number): string {
  if (text.length <= max_chars) return text;
  const mark = ` … and ${text.length - max_chars} more characters that are not shown`;
  return `${text.slice(0, max_chars - mark.length).toWellFormed()}${mark}`;
}

function refuseUnlessSame(state: JobState, n: number, decision: "allow" | "deny", job_id: string): void {
  const known = state.answered.find((one) => one.n === n);
  if (known?.decision === decision) return;
  if (known === undefined && (n < 1 || n > state.approvals_asked))
    throw new AppError({ code: "not_found", message: `Job ${job_id} has no question ${n}.` });
  throw new AppError({
    code: "conflict",
    message: `Question ${n} of job ${job_id} was answered already${known === undefined ? "" : `: ${known.decision}`}.`,
  });
}
