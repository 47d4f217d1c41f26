import type { Duplex } from "node:stream";
import { exitStatus } from "../../../contract/exit-status.ts";
import { encodeFrame } from "../../../contract/frames.ts";
import type { ProcessOrder, ProcessRequest, TerminalInfo, TerminalSize } from "../../../contract/surfaces.ts";
import type { SurfacePlace } from "../place.ts";
import { loginShell } from "./login-shell.ts";
import { PersonProcess } from "./person-process.ts";
import { processPlace } from "./process-place.ts";
import { Recording } from "./recording.ts";
import { Scrollback } from "./scrollback.ts";
import { Viewer } from "./viewer.ts";

/** Of output that a connection was too slow for, the last is shown all the same: it ends with what a person acts on. */
const TAIL_BYTES = 32 * 1024;
/** A program looks at the size when it gets to it; a change that is taken back sooner may be none to it. */
const REDRAW_MS = 50;
/** Ends whatever sequence output was cut in, and does nothing otherwise. */
const STRING_TERMINATOR = "\x1b\\";

const TERM = "xterm-256color";
const TERMINAL_ENV = { COLORTERM: "truecolor", LANG: "C.UTF-8" };
/** As shells have it: 126 for what could not be started. */
const NOT_STARTED = 126;

type TerminalRequest = Pick<ProcessRequest, "command" | "cwd" | "env" | "record">;

/** A program on a terminal of its own, which any number of connections watch and type into. It outlives all of them. */
export class Terminal {
  readonly id: string;
  /** Settles when it has ended, all who were attached know it, and its recording is closed. */
  readonly ended: Promise<void>;
  readonly #command: string;
  readonly #started_at = new Date().toISOString();
  readonly #scrollback = new Scrollback();
  readonly #viewers = new Set<Viewer>();
  readonly #recording: Recording | null;
  readonly #process: PersonProcess;
  #size: TerminalSize;
  #redrawing: NodeJS.Timeout | undefined;
  #over = false;
  #room = Promise.withResolvers<void>();

  private constructor(options: {
    id: string;
    command: string;
    size: TerminalSize;
    recording: Recording | null;
    process: PersonProcess;
  }) {
    this.id = options.id;
    this.#command = options.command;
    this.#size = options.size;
    this.#recording = options.recording;
    this.#process = options.process;
    this.ended = this.#run();
  }

  /** Throws AppError for what cannot be started, as PersonProcess and processPlace say. */
  static async open(options: {
    id: string;
    size: TerminalSize;
    request: TerminalRequest;
    place: SurfacePlace;
  }): Promise<Terminal> {
    const { id, size, request, place } = options;
    const { cwd, env: own_env } = await processPlace(request, place);
    const shell = await loginShell(own_env);
    const [program = "", ...args] = request.command ?? shell.argv;
    const argv: [string, ...string[]] = [program, ...args];
    const env = { ...TERMINAL_ENV, ...own_env, ...shell.env, ...request.env, TERM: request.env.TERM ?? TERM };
    const command = argv.join(" ").slice(0, 1000);
    const recording = request.record
      ? await Recording.open({ workspace: place.workspace, id, size, command, env })
      : null;
    // What it writes before there is a terminal to take it waits in its pipe.
    const opened = Promise.withResolvers<Terminal>();
    try {
      const onOutput = async (_stream: string, chunk: Buffer) => (await opened.promise).#output(chunk);
      const process = await PersonProcess.start(place.processes, {
        argv,
        cwd,
        env,
        terminal: size,
        onOutput,
      });
      const terminal = new Terminal({ id, command, size, recording, process });
      opened.resolve(terminal);
      return terminal;
    } catch (error) {
      await recording?.end(NOT_STARTED);
      throw error;
    }
  }

  get info(): TerminalInfo {
    return {
      id: this.id,
      ...this.#size,
      command: this.#command,
      started_at: this.#started_at,
      attached: this.#viewers.size,
    };
  }

  /** Shows what it has shown so far, and from here on all that it shows, until the stream or the terminal ends. The last size given holds. */
  attach(stream: Duplex, size: TerminalSize | null): void {
    const { bytes, modes } = this.#scrollback.replay();
    const viewer: Viewer = new Viewer(stream, {
      room: () => this.#hasRoom(),
      caughtUp: (skipped_bytes) => this.#catchUp(viewer, skipped_bytes),
    });
    viewer.tell({ type: "opened", terminal: this.id });
    if (bytes.length > 0) viewer.show(encodeFrame({ channel: "stdout", data: bytes }), 0);
    this.#viewers.add(viewer);
    stream.once("close", () => {
      this.#viewers.delete(viewer);
      this.#hasRoom();
    });
    this.#hasRoom();
    if (size !== null && !isSame(size, this.#size)) this.#resize(size);
    else if (modes.on_other_screen) this.#redraw();
  }

  input(data: Buffer, signal: AbortSignal): Promise<void> {
    return this.#process.input(data, signal);
  }

  obey(order: ProcessOrder): void {
    if (order.type === "resize") this.#resize(order);
    // A terminal has no end of its input: who has nothing more to type goes away.
    else if (order.type === "signal") this.#process.obey(order);
  }

  /** Ends it with all that runs in it. */
  async end(): Promise<void> {
    await this.#process.kill();
    await this.ended;
  }

  async #run(): Promise<void> {
    const exit = await this.#process.exited(() => {
      // From here on nobody is waited for: what is left to show is less than one connection may hold.
      this.#over = true;
      this.#hasRoom();
    });
    clearTimeout(this.#redrawing);
    await this.#recording?.end(exitStatus(exit));
    for (const viewer of this.#viewers) viewer.end({ type: "exited", ...exit });
  }

  async #output(chunk: Buffer): Promise<void> {
    this.#scrollback.push(chunk);
    const frame = encodeFrame({ channel: "stdout", data: chunk });
    for (const viewer of this.#viewers) viewer.show(frame, chunk.length);
    await this.#recording?.output(chunk);
    while (!this.#over && this.#viewers.size > 0 && !this.#viewers.values().some((viewer) => viewer.has_room))
      await this.#room.promise;
  }

  #hasRoom(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  #catchUp(viewer: Viewer, skipped_bytes: number): void {
    const { bytes, output_bytes, modes } = this.#scrollback.replay(Math.min(skipped_bytes, TAIL_BYTES));
    viewer.tell({ type: "skipped", bytes: skipped_bytes - output_bytes });
    const data = Buffer.concat([Buffer.from(STRING_TERMINATOR), bytes]);
    viewer.show(encodeFrame({ channel: "stdout", data }), 0);
    if (modes.on_other_screen) this.#redraw();
  }

  #resize({ columns, rows }: TerminalSize): void {
    clearTimeout(this.#redrawing);
    this.#size = { columns, rows };
    this.#process.obey({ type: "resize", columns, rows });
    this.#recording?.resize(this.#size);
  }

  /** Programs that have the whole screen draw it anew when its size changes. */
  #redraw(): void {
    if (this.#over) return;
    const { columns, rows } = this.#size;
    this.#process.obey({ type: "resize", columns, rows: rows > 1 ? rows - 1 : rows + 1 });
    clearTimeout(this.#redrawing);
    this.#redrawing = setTimeout(() => this.#process.obey({ type: "resize", columns, rows }), REDRAW_MS);
  }
}

function isSame(one: TerminalSize, other: TerminalSize): boolean {
  return one.columns === other.columns && one.rows === other.rows;
}
