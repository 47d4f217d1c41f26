import { setImmediate as nextTurn } from "node:timers/promises";
import { AppError, REASONS } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import type { Start } from "../contract/link.ts";
import { type AgentEnd, runScript } from "./agents/script/script-agent.ts";
import type { Blobs } from "./blobs.ts";
import { StopCause, type ToolProcesses } from "./process/tool-processes.ts";
import type { Cgroup } from "./watch/cgroup.ts";
import { DiskWatch, isDiskFull } from "./watch/disk.ts";
import { MetricsWatch } from "./watch/metrics.ts";

/** The agents of this version; `auto` is the script agent, the only one that needs no model. */
const AGENTS = ["auto", "script"];

export type JobPlace = {
  /** The folder that the volume is mounted at. */
  home: string;
  workspace: string;
  scratch: string;
  /** The image's own environment. */
  env: Record<string, string>;
  processes: ToolProcesses;
  blobs: Blobs;
  cgroup: Cgroup;
  emit(body: RunnerEventBody): Promise<void>;
};

/** The one job of this runner: its agent and its watches, from `start` to `agent.ended`. */
export class RunnerJob {
  readonly start: Start;
  /** Settles when `agent.ended` is said; rejects only when events can be kept no more. */
  readonly ended: Promise<void>;
  readonly #place: JobPlace;
  readonly #stopping = new AbortController();

  /** Throws AppError `invalid_request` for an agent that this version does not have. */
  constructor(start: Start, place: JobPlace) {
    if (!AGENTS.includes(start.agent))
      throw new AppError({ code: "invalid_request", message: `This runner has no agent ${start.agent}.` });
    this.start = start;
    this.#place = place;
    this.ended = this.#run();
  }

  /** Ends the running step and the agent. The first cause holds; afterwards it does nothing. */
  stop(cause: StopCause["stop"]): void {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(new StopCause(cause));
  }

  async #run(): Promise<void> {
    // The answer to the start leaves first: the orchestrator stores it while the agent reads its task.
    await nextTurn();
    const { home, cgroup, emit } = this.#place;
    const limit_bytes = this.start.limits.disk_bytes;
    let said: Promise<void> = Promise.resolve();
    const over = (used_bytes: number): void => {
      said = emit({ type: "limit.reached", data: diskReached(used_bytes, limit_bytes) });
      said.catch(() => undefined);
      this.stop("disk_full");
    };
    let end: AgentEnd;
    {
      await using disk = new DiskWatch({ folder: home, limit_bytes, over });
      await using _metrics = new MetricsWatch({ cgroup, disk_bytes: () => disk.used_bytes, emit });
      end = await this.#agent();
    }
    await said;
    await emit({ type: "agent.ended", data: end });
  }

  async #agent(): Promise<AgentEnd> {
    const { env, home, ...place } = this.#place;
    const { prompt, env: given } = this.start;
    try {
      const end = await runScript({
        ...place,
        prompt,
        env: { ...env, ...given },
        signal: this.#stopping.signal,
      });
      if (end.reason?.code !== "step_failed" || !(await isDiskFull(home))) return end;
      const message = `The disk is full. ${end.reason.message}`;
      return { ...end, reason: { code: "disk_full", message, hint: REASONS.disk_full } };
    } catch (error) {
      const known = error instanceof AppError;
      if (!known) process.stderr.write(`The agent failed: ${error instanceof Error ? error.stack : error}\n`);
      const code = known ? "agent_failed" : "internal";
      const message = known ? error.message : "The agent failed because of a fault in the runner.";
      const reason = { code, message, hint: REASONS[code] } as const;
      return { outcome: "failed", reason, exit_code: null, summary: message };
    }
  }
}

function diskReached(value: number, limit_value: number) {
  const over = value - limit_value;
  const message = `The job holds ${value} bytes on its disk, ${over} more than its limit of ${limit_value}.`;
  return { limit: "disk" as const, message, limit_value, value };
}
