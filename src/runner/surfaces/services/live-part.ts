import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ToolEnd } from "../../process/reaper.ts";
import { settlesWithin } from "../../process/settles-within.ts";
import {
  killWhole,
  type RunningTool,
  signalName,
  TERM_GRACE_MS,
  type ToolProcesses,
} from "../../process/tool-processes.ts";

/** What is kept of what a part prints, and how much of it is told when the part fails. */
export const PRINTED_KEPT_BYTES = 8 * 1024;
const PRINTED_TOLD_CHARS = 3_000;
/** A part that takes no connections after this long never will. */
const READY_MAX_MS = 30_000;
const READY_POLL_MS = 10;

/** One process of a service. */
export type ServicePart = {
  /** As people read it. */
  name: string;
  argv: readonly [string, ...string[]];
  cwd: string;
  env: Record<string, string>;
  /** It is ready when this unix socket takes connections; null: as soon as it runs. */
  socket: string | null;
  /** Whether the programs that it started live on when it ends alone, until the service ends. */
  spares_children: boolean;
  /** Removes what a killed one leaves behind, before it is started again. Must not throw. */
  cleanUp?(): Promise<void>;
};

/** A part that was started, until its process and all that this started are gone. */
export class LivePart {
  readonly part: ServicePart;
  /** Settles when the process has ended, with a sentence for people; never rejects. */
  readonly ended: Promise<string>;
  readonly #tool: RunningTool;
  readonly #printed: Printed;
  #has_ended = false;

  private constructor(part: ServicePart, tool: RunningTool, printed: Printed) {
    this.part = part;
    this.#tool = tool;
    this.#printed = printed;
    this.ended = tool.reaper.toolEnded.then((end) => this.#sentence(end));
  }

  get has_ended(): boolean {
    return this.#has_ended;
  }

  /** A sentence when it could not be started. */
  static async start(part: ServicePart, processes: ToolProcesses): Promise<LivePart | string> {
    const printed = new Printed();
    const { argv, cwd, env } = part;
    const onOutput = async (_stream: unknown, chunk: Buffer): Promise<void> => printed.add(chunk);
    const tool = await processes.start({ argv, cwd, env, stdin: null, onOutput });
    if (typeof tool === "string") return `${part.name} could not be started. ${tool}`;
    return new LivePart(part, tool, printed);
  }

  /** Resolves with null once it is ready or the signal aborts, else with a sentence: it ended before, or took too long. */
  async ready(signal: AbortSignal): Promise<string | null> {
    const { socket, name } = this.part;
    if (this.#has_ended) return this.ended;
    if (socket === null) return null;
    const until = performance.now() + READY_MAX_MS;
    while (!signal.aborted && !(await takesConnections(socket))) {
      await sleep(READY_POLL_MS);
      if (this.#has_ended) return this.ended;
      if (performance.now() > until)
        return `${name} took no connections within ${READY_MAX_MS / 1000} s. ${this.#printed}`;
    }
    return null;
  }

  /** Asks it to end, with all that it started; what does not is killed. */
  async end(): Promise<void> {
    this.#tool.reaper.terminate();
    await settlesWithin(this.ended, TERM_GRACE_MS);
    await this.kill();
  }

  async kill(): Promise<void> {
    await killWhole(this.#tool.reaper);
    await this.#tool.finish();
  }

  async #sentence(end: ToolEnd): Promise<string> {
    this.#has_ended = true;
    // What it printed last may still be in its pipe.
    if (!this.part.spares_children) await this.#tool.finish();
    return `${this.part.name} ${howEnded(end)}. ${this.#printed}`.trimEnd();
  }
}

/** The last that a process printed, both streams as they came. */
class Printed {
  #last = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#last = Buffer.concat([this.#last, chunk]).subarray(-PRINTED_KEPT_BYTES);
  }

  toString(): string {
    const text = this.#last.toString("utf8").trim().slice(-PRINTED_TOLD_CHARS).toWellFormed();
    return text === "" ? "" : `The last that it printed: ${text}`;
  }
}

function howEnded(end: ToolEnd): string {
  if (end.kind === "exit") return `ended with exit code ${end.code}`;
  if (end.kind === "signal") return `was ended by ${signalName(end.number)}`;
  if (end.kind === "error") return `could not be started (${end.stage}: ${end.error})`;
  return "ended with the process that watches over it, which was killed";
}

async function takesConnections(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    // Not there yet, which is what is asked.
    return false;
  } finally {
    socket.destroy();
  }
}
