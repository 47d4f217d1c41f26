import { setImmediate as nextTurn } from "node:timers/promises";
import { AppError } from "../../../contract/errors.ts";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { StopCause, type ToolResult } from "../../process/tool-processes.ts";
import { lostStep, Steps } from "../../steps.ts";
import type { AgentEnd, AgentPlace, Conversation, OpenAgent } from "../agent.ts";
import { complete, failed, stopped } from "../agent-end.ts";
import { AgentSession } from "./agent-session.ts";
import { CliProcess } from "./cli-process.ts";
import { fillCli, writeCliFiles } from "./cli-start.ts";
import type { SessionTimes } from "./handshake.ts";
import { type Kept, KeptSession } from "./kept-session.ts";
import { Permissions } from "./permissions.ts";
import { SessionStory } from "./session-story.ts";

/** A large CLI on a busy machine takes many seconds to start; one that takes longer waits for something that a sandbox does not have. */
const TIMES: SessionTimes = { initialize_ms: 120_000, session_ms: 60_000, cancel_ms: 2_000 };

/** The protocol's words for a turn that ended before its work did. */
const FAILURES = new Map([
  ["max_tokens", "The agent stopped in the middle: the model may write no more tokens in one answer."],
  [
    "max_turn_requests",
    "The agent stopped in the middle: it allows itself no more model requests in one turn.",
  ],
  ["refusal", "The agent refused to go on with this task."],
  ["cancelled", "The agent cancelled its turn without having been asked to."],
]);

/** Drives an agent CLI that speaks the Agent Client Protocol, as `start.cli` describes it. */
export const openAcpAgent: OpenAgent = (place) => openWith(place, TIMES);

/** The same with other limits of time. */
export async function openWith(place: AgentPlace, times: SessionTimes): Promise<Conversation> {
  return AcpAgent.open(place, times);
}

class AcpAgent implements Conversation {
  readonly #place: AgentPlace;
  readonly #times: SessionTimes;
  readonly #keeping: KeptSession;
  /** What an earlier runner of this job left. */
  readonly #earlier: Kept | null;
  readonly #steps: Steps;
  readonly #story: SessionStory;
  readonly #open_steps = new Set<number>();
  #cli: CliProcess | null = null;
  #session: AgentSession | null = null;
  #turns = 0;

  private constructor(place: AgentPlace, times: SessionTimes, earlier: Kept | null) {
    this.#place = place;
    this.#times = times;
    this.#keeping = new KeptSession(place.home);
    this.#earlier = earlier;
    const emit = this.#emit.bind(this);
    const { blobs, home, workspace, signal } = place;
    this.#steps = new Steps({ emit, blobs, first: earlier?.last_step ?? 0 });
    this.#story = new SessionStory({ emit, steps: this.#steps, home, workspace, signal });
  }

  static async open(place: AgentPlace, times: SessionTimes): Promise<AcpAgent> {
    const { start, home } = place;
    const earlier = start.resume ? await new KeptSession(home).read(start.agent) : null;
    return new AcpAgent(place, times, earlier);
  }

  async turn(text: string): Promise<AgentEnd> {
    const { start, signal } = this.#place;
    this.#turns += 1;
    const steps_before = this.#steps.last;
    let said = "";
    let reason: string;
    try {
      const resumed = start.resume && this.#turns === 1;
      if (resumed) await this.#endLostSteps();
      const session = await this.#ready();
      try {
        const answered = session.prompt(resumed ? resumption(text, session.loaded) : text);
        reason = await Promise.race([answered, this.#story.broken]);
      } finally {
        // Updates that came with the answer are on their way to the story.
        await nextTurn();
        said = await this.#story.endTurn(this.#unfinished());
      }
    } catch (error) {
      if (signal.aborted) return this.#stopped();
      if (error instanceof AppError)
        return failed(error.message, this.#cli?.out_of_memory === true ? "out_of_memory" : "agent_failed");
      throw error;
    }
    if (signal.aborted) return this.#stopped();
    if (reason !== "end_turn") {
      const why = FAILURES.get(reason) ?? "The agent ended its turn for a reason that is not known.";
      return failed(said === "" ? why : `${why} It said last: ${said}`);
    }
    if (said === "" && this.#steps.last === steps_before)
      return failed("The agent ended its turn without saying or doing anything.");
    return complete(said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session?.close();
    await this.#cli?.[Symbol.asyncDispose]();
  }

  /** The session, which opens with the first turn. */
  async #ready(): Promise<AgentSession> {
    if (this.#session !== null) return this.#session;
    const { start, home, workspace, env, processes, signal } = this.#place;
    if (start.cli === null)
      throw new AppError({
        code: "invalid_request",
        message: `Nothing is known of the agent ${start.agent}.`,
      });
    signal.throwIfAborted();
    const { command, env: own, files } = fillCli(start.cli, start.model);
    await writeCliFiles(home, files);
    const story = this.#story;
    const cli = await CliProcess.start({
      processes,
      argv: command,
      cwd: workspace,
      env: { ...env, PWD: workspace, ...own },
      template: start.cli.template,
      ready: () => story.ready(),
    });
    this.#cli = cli;
    const { approval } = start;
    const permissions = new Permissions({ approval, ask: this.#place.ask, story, workspace, signal });
    const session_options = {
      cli,
      story,
      permissions,
      cwd: workspace,
      times: this.#times,
      signal,
    };
    this.#session = await AgentSession.open(session_options, this.#earlier?.session_id ?? null);
    await this.#keep();
    return this.#session;
  }

  /** Ends the steps that were under way when the earlier sandbox died. */
  async #endLostSteps(): Promise<void> {
    for (const step of this.#earlier?.open_steps ?? []) await this.#place.emit(lostStep(step));
  }

  /** Says an event, and keeps what a later runner must know of it. */
  async #emit(body: RunnerEventBody): Promise<void> {
    await this.#place.emit(body);
    if (body.type === "step.started") this.#open_steps.add(body.data.step);
    else if (body.type === "step.ended") this.#open_steps.delete(body.data.step);
    else return;
    await this.#keep();
  }

  async #keep(): Promise<void> {
    await this.#keeping.write({
      agent: this.#place.start.agent,
      session_id: this.#session?.id ?? null,
      last_step: this.#steps.last,
      open_steps: [...this.#open_steps],
    });
  }

  #unfinished(): Pick<ToolResult, "cause" | "message"> {
    const { reason, aborted } = this.#place.signal;
    if (aborted) {
      const stop = reason instanceof StopCause ? reason.stop : "cancelled";
      return { cause: stop === "timed_out" ? "timed_out" : "cancelled", message: null };
    }
    return { cause: "cancelled", message: "The agent's turn ended before it said how this step did." };
  }

  async #stopped(): Promise<AgentEnd> {
    // Whatever it still does would change the work while that is packed.
    await this[Symbol.asyncDispose]();
    return stopped(this.#place.signal, this.#steps.last);
  }
}

/** What the agent is told when its sandbox died in the middle of a task. */
function resumption(task: string, loaded: boolean): string {
  const lost =
    "Your sandbox was lost and another one took its place. The files are as you left them, but every process is gone: servers and commands in the background must be started again.";
  if (loaded) return `${lost} Go on with the task where you stopped.`;
  return `${lost} Your memory of the work is lost too: look at the files to see how far it came, then go on. The task was:\n\n${task}`;
}
