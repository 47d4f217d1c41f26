import { setImmediate as nextTurn } from "node:timers/promises";
import { AppError, REASONS } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import type { Message, Start } from "../contract/link.ts";
import type { AgentEnd, AgentPlace, OpenAgent } from "./agents/agent.ts";
import { runScript } from "./agents/script/script-agent.ts";
import type { Blobs } from "./blobs.ts";
import { Inbox } from "./inbox.ts";
import { type Outside, openOutside } from "./outside.ts";
import { StopCause, type ToolProcesses } from "./process/tool-processes.ts";
import { Surfaces } from "./surfaces/surfaces.ts";
import type { Cgroup } from "./watch/cgroup.ts";
import { DiskWatch, isDiskFull } from "./watch/disk.ts";
import { FileNews } from "./watch/file-news.ts";
import { MetricsWatch } from "./watch/metrics.ts";

export type JobPlace = {
  /** The folder that the volume is mounted at. */
  home: string;
  workspace: string;
  scratch: string;
  /** The folder of the link's sockets. */
  link_folder: string;
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
  readonly #inbox: Inbox;
  /** What people use live of this job, until its agent has ended. */
  readonly surfaces: Surfaces;
  /** While its agent is at work. */
  disk: DiskWatch | null = null;
  readonly #stopping = new AbortController();

  /** Throws AppError `invalid_request` for an agent that this version does not have. */
  constructor(start: Start, place: JobPlace) {
    if (start.agent !== "script" && start.agent !== "native" && start.cli === null)
      throw new AppError({ code: "invalid_request", message: `This runner has no agent ${start.agent}.` });
    this.start = start;
    this.#place = place;
    this.#inbox = new Inbox(place.emit);
    this.surfaces = new Surfaces({ touched: () => this.#inbox.touch() });
    this.ended = this.#run();
  }

  /** Ends the running step and the agent. The first cause holds; afterwards it does nothing. */
  stop(cause: StopCause["stop"]): void {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(new StopCause(cause));
  }

  /** Hands the agent a message. Throws AppError `conflict` when it takes none. */
  async message(message: Message): Promise<void> {
    if (this.start.agent === "script")
      throw new AppError({ code: "conflict", message: "A script takes no messages." });
    await this.#inbox.put(message);
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
      this.disk = disk;
      await using _metrics = new MetricsWatch({ cgroup, disk_bytes: () => disk.used_bytes, emit });
      await using files = new FileNews({ workspace: this.#place.workspace, emit });
      end = await this.#agent(files.emit);
    }
    await said;
    await emit({ type: "agent.ended", data: end });
  }

  async #agent(emit: JobPlace["emit"]): Promise<AgentEnd> {
    const { home } = this.#place;
    try {
      await using outside = await openOutside(this.start, this.#place);
      await using _surfaces = this.surfaces;
      const end = await this.#work(outside, emit);
      if (end.reason?.code !== "step_failed" || !(await isDiskFull(home))) return end;
      const message = `The disk is full. ${end.reason.message}`;
      return { ...end, reason: { code: "disk_full", message, hint: REASONS.disk_full } };
    } catch (error) {
      const known = error instanceof AppError;
      if (!known) process.stderr.write(`The agent failed: ${error instanceof Error ? error.stack : error}\n`);
      const code = known ? "agent_failed" : "internal";
      const message = known ? error.message : "The agent failed because of a fault in the runner.";
      const reason = { code, message, hint: (known ? error.hint : undefined) ?? REASONS[code] } as const;
      return { outcome: "failed", reason, exit_code: null, summary: message };
    }
  }

  async #work(outside: Outside, emit: JobPlace["emit"]): Promise<AgentEnd> {
    const { env: image, cgroup: _, link_folder: __, ...rest } = this.#place;
    const place = { ...rest, emit };
    const { start } = this;
    const { signal } = this.#stopping;
    const env = { ...image, ...outside.env, ...start.env };
    await this.surfaces.begin({ ...place, env, job_id: start.job_id });
    const desktop = this.surfaces.has_desktop ? () => this.surfaces.desktopOf() : undefined;
    const ask: AgentPlace["ask"] = (question) => outside.ask(question, signal);
    if (start.agent === "script") {
      const asked = start.approval === "always" ? ask : undefined;
      const end = await runScript({ ...place, desktop, prompt: start.prompt, env, ask: asked, signal });
      if (end.outcome === "complete" && !signal.aborted) await this.#linger(end, signal);
      return end;
    }
    return this.#converse({ ...place, desktop, start, env, inbox: this.#inbox, ask, signal });
  }

  /** What people say after an answer, for as long as somebody may want to say something or is at work in the sandbox; else nothing. */
  async #linger(end: AgentEnd, signal: AbortSignal): Promise<string[]> {
    const { linger_s } = this.start;
    if (linger_s > 0 || this.#inbox.touched)
      await this.#place.emit({ type: "agent.waiting", data: { summary: end.summary, linger_s } });
    return (await this.#inbox.next(linger_s * 1000, signal)) ?? [];
  }

  /** The prompt, then whatever people say, for as long as the agent has good answers and somebody may want to say something. */
  async #converse(place: AgentPlace): Promise<AgentEnd> {
    const { prompt } = this.start;
    const open = await agentNamed(this.start);
    await using conversation = await open(place);
    let end = await conversation.turn(prompt);
    while (end.outcome === "complete" && !place.signal.aborted) {
      let said = place.inbox.take();
      if (said.length === 0) said = await this.#linger(end, place.signal);
      if (said.length === 0) return end;
      end = await conversation.turn(said.join("\n\n"));
    }
    return end;
  }
}

/** Loaded when it is used: a runner starts anew for every job, and most of what an agent with a model needs is large. */
async function agentNamed({ agent }: Start): Promise<OpenAgent> {
  if (agent === "native") return (await import("./agents/native/native-agent.ts")).openNativeAgent;
  return (await import("./agents/acp/acp-agent.ts")).openAcpAgent;
}

function diskReached(value: number, limit_value: number) {
  const over = value - limit_value;
  const message = `The job holds ${value} bytes on its disk, ${over} more than its limit of ${limit_value}.`;
  return { limit: "disk" as const, message, limit_value, value };
}
