import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import * as z from "zod/mini";
import { AppError } from "../../../contract/errors.ts";
import { controlFrame, controlOf, type Frame, readFrames } from "../../../contract/frames.ts";
import {
  ProcessOrder,
  ProcessRequest,
  TERMINALS_MAX,
  type TerminalInfo,
} from "../../../contract/surfaces.ts";
import type { TakeStream } from "../../handlers.ts";
import { FifoSupply } from "../../process/fifo.ts";
import type { SurfacePlace } from "../place.ts";
import type { PersonProcess } from "./person-process.ts";
import { startCommand } from "./single-command.ts";
import { Terminal } from "./terminal.ts";

/** Terminals and single commands of people. Disposal ends all of them. */
export interface Processes extends AsyncDisposable {
  /** Serves one stream of frames, as ProcessRequest says. */
  readonly take: TakeStream;
  list(): TerminalInfo[];
  /** AppError `not_found` for a terminal that is not there (any more). */
  end(id: string): Promise<void>;
}

export async function openProcesses(place: SurfacePlace): Promise<Processes> {
  return new PeoplesProcesses(place);
}

/** What a connection types into. */
type Typed = Pick<PersonProcess, "input" | "obey">;

class PeoplesProcesses implements Processes {
  readonly #place: SurfacePlace;
  readonly #terminals = new Map<string, Terminal>();
  readonly #commands = new Set<PersonProcess>();
  readonly #pipes: FifoSupply;
  /** Terminals that are being opened; they count as well. */
  #opening = 0;
  #ended = false;

  constructor(place: SurfacePlace) {
    this.#place = place;
    this.#pipes = new FifoSupply({ folder: place.scratch, named: true });
  }

  readonly take: TakeStream = (stream) => {
    // The connection is closed after an error, which says all that there is to say.
    stream.on("error", () => undefined);
    void this.#serve(stream);
  };

  list(): TerminalInfo[] {
    return [...this.#terminals.values()].map(({ info }) => info);
  }

  async end(id: string): Promise<void> {
    await this.#terminal(id).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await Promise.all([
      ...this.#terminals.values().map((terminal) => terminal.end()),
      ...this.#commands.values().map((command) => command.kill()),
    ]);
    await this.#pipes[Symbol.asyncDispose]();
  }

  /** Never rejects: what goes wrong is told to the other side, or cuts the connection. */
  async #serve(stream: Duplex): Promise<void> {
    const closed = new AbortController();
    stream.once("close", () => closed.abort());
    // The end of what is typed must not end the output, so the stream is not left to the iterator.
    const frames = readFrames(stream.iterator({ destroyOnReturn: false }));
    let typed: Typed;
    try {
      typed = await this.#begin(await firstRequest(frames), stream);
    } catch (error) {
      refuse(stream, error);
      return;
    }
    try {
      for await (const frame of frames) {
        if (frame.channel === "stdin") await typed.input(frame.data, closed.signal);
        else if (frame.channel === "control") typed.obey(parsed(ProcessOrder, controlOf(frame)));
        else throw violated("it sent output");
      }
      // Whoever types no more may still want to see what comes: a connection ends when it is closed.
    } catch (error) {
      stream.destroy(error instanceof Error ? error : undefined);
    }
  }

  async #begin(request: ProcessRequest, stream: Duplex): Promise<Typed> {
    if (request.terminal === null && request.pty === null) return this.#run(request, stream);
    const terminal = request.terminal === null ? await this.#open(request) : this.#terminal(request.terminal);
    terminal.attach(stream, request.pty);
    return terminal;
  }

  async #run(request: ProcessRequest, stream: Duplex): Promise<PersonProcess> {
    const command = await startCommand(request, stream, { place: this.#place, pipes: this.#pipes });
    this.#commands.add(command);
    stream.once("close", () => this.#commands.delete(command));
    return this.#unlessEnded(command, () => command.kill());
  }

  async #open(request: ProcessRequest): Promise<Terminal> {
    if (request.pty === null) throw violated("a new terminal has no size");
    if (this.#terminals.size + this.#opening >= TERMINALS_MAX) {
      throw new AppError({
        code: "conflict",
        message: `The sandbox has ${TERMINALS_MAX} terminals already, which is as many as there may be: end one first.`,
      });
    }
    this.#opening += 1;
    try {
      const id = randomBytes(4).toString("hex");
      const terminal = await Terminal.open({ id, size: request.pty, request, place: this.#place });
      this.#terminals.set(id, terminal);
      void terminal.ended.then(() => this.#terminals.delete(id));
      return await this.#unlessEnded(terminal, () => terminal.end());
    } finally {
      this.#opening -= 1;
    }
  }

  async #unlessEnded<P>(process: P, end: () => Promise<void>): Promise<P> {
    if (!this.#ended) return process;
    await end();
    throw new AppError({ code: "conflict", message: "The job's work has ended." });
  }

  #terminal(id: string): Terminal {
    const terminal = this.#terminals.get(id);
    if (terminal !== undefined) return terminal;
    throw new AppError({
      code: "not_found",
      message: `There is no terminal ${id} in the sandbox (any more).`,
    });
  }
}

async function firstRequest(frames: AsyncGenerator<Frame>): Promise<ProcessRequest> {
  const first = await frames.next();
  if (first.done === true || first.value.channel !== "control") throw violated("it began with no request");
  return parsed(ProcessRequest, controlOf(first.value));
}

function refuse(stream: Duplex, error: unknown): void {
  if (stream.destroyed) return;
  const known = error instanceof AppError ? error : null;
  if (known?.code === "link_lost") stream.destroy();
  else {
    const message = (known?.message ?? `The runner failed: ${String(error)}`).slice(0, 4000);
    stream.end(controlFrame({ type: "refused", code: known?.code ?? "internal", message }));
  }
}

function parsed<S extends z.ZodMiniType>(schema: S, value: unknown): z.output<S> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw violated(result.error.message.slice(0, 500));
}

function violated(what: string): AppError {
  return new AppError({ code: "protocol_violated", message: `A process was asked for wrongly: ${what}.` });
}
