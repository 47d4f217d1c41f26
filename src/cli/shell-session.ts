import { AppError } from "../contract/errors.ts";
import { exitStatus } from "../contract/exit-status.ts";
import { TerminalModes } from "../contract/terminal-modes.ts";
import type { Client } from "./client.ts";
import { EscapeKeys } from "./escape-keys.ts";
import { type Io, write } from "./io.ts";
import { LiveSocket } from "./live-socket.ts";
import { pause } from "./pause.ts";
import { processNews } from "./process-news.ts";

/** Attempts in a row to come back before the server counts as gone: about four minutes. */
const ATTEMPTS_MAX = 60;
const PAUSE_FIRST_MS = 200;
const PAUSE_MAX_MS = 5_000;
/** What is typed and has not left yet; the keyboard is not read while it is more. */
const TYPED_MAX_BYTES = 1024 * 1024;
const CTRL_C = 0x03;
const CTRL_D = Buffer.of(0x04);
const CLEAR_SCREEN = "\x1b[H\x1b[2J";
const PLAIN_TEXT = "\x1b[0m";

/** How a session ended: the terminal did, with a status; or the person left it, and it goes on. */
export type ShellEnd = { exit_status: number } | { left: string };

/** A terminal of a job on the terminal of this process, or on its pipes. Disposal gives this one back as it was. */
export class ShellSession implements Disposable {
  readonly #io: Io;
  readonly #client: Client;
  readonly #path: string;
  /** Whether keys are read one by one, as on a real terminal. */
  readonly #raw: boolean;
  readonly #leaving = new AbortController();
  readonly #modes = new TerminalModes();
  readonly #escapes = new EscapeKeys();
  readonly #opened = new DisposableStack();
  #terminal: string | undefined;
  #socket: LiveSocket | null = null;
  #input_ended = false;

  constructor(io: Io, options: { client: Client; job_id: string; terminal: string | undefined }) {
    this.#io = io;
    this.#client = options.client;
    this.#path = `/jobs/${options.job_id}/terminal`;
    this.#terminal = options.terminal;
    this.#raw = io.terminal.stdin && io.terminal.stdout;
  }

  /** Until the terminal ends or the person leaves. A lost connection is made again. Throws AppError for all else. */
  async run(signal: AbortSignal): Promise<ShellEnd> {
    const either = AbortSignal.any([signal, this.#leaving.signal]);
    try {
      for (let first = true; ; first = false) {
        const socket = await this.#connect(first ? 1 : ATTEMPTS_MAX, either);
        this.#socket = socket;
        if (first) this.#listen();
        else if (this.#raw) await write(this.#io.stdout, this.#modes.undo() + PLAIN_TEXT + CLEAR_SCREEN);
        if (this.#input_ended) void socket.send(CTRL_D);
        const exit_status = await this.#show(socket, either);
        this.#socket = null;
        if (exit_status !== null) return { exit_status };
        this.#say("The connection was lost; coming back. Ctrl-C gives up.");
      }
    } catch (error) {
      if (!this.#leaving.signal.aborted) throw error;
      return { left: this.#terminal ?? "" };
    }
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    if (this.#raw) this.#io.stdout.write(this.#modes.undo() + PLAIN_TEXT);
    this.#opened.dispose();
  }

  async #connect(attempts_max: number, signal: AbortSignal): Promise<LiveSocket> {
    for (let attempt = 1; ; attempt += 1) {
      const { terminal } = this.#io;
      const query = { id: this.#terminal, columns: terminal.columns(), rows: terminal.rows() };
      try {
        return await LiveSocket.open(this.#client, { path: this.#path, query }, signal);
      } catch (error) {
        if (!(error instanceof AppError) || !error.retryable || attempt >= attempts_max) throw error;
      }
      await pause(Math.min(PAUSE_FIRST_MS * 2 ** (attempt - 1), PAUSE_MAX_MS), signal);
      await this.#client.lookAgain();
    }
  }

  #listen(): void {
    const { stdin } = this.#io;
    if (this.#raw) this.#opened.use(this.#io.raw_keys(() => this.#leaving.abort()));
    this.#opened.use(this.#io.on_resize(() => this.#resize()));
    const typed = (keys: Buffer): void => this.#type(keys);
    const ended = (): void => {
      this.#input_ended = true;
      // What reads the terminal takes this for the end of its input, as it would at a keyboard.
      void this.#socket?.send(CTRL_D);
    };
    stdin.on("data", typed);
    stdin.once("end", ended);
    this.#opened.defer(() => {
      stdin.off("data", typed);
      stdin.off("end", ended);
      stdin.pause();
    });
  }

  #resize(): void {
    const { terminal } = this.#io;
    void this.#socket?.send({ type: "resize", columns: terminal.columns(), rows: terminal.rows() });
  }

  #type(keys: Buffer): void {
    const { send, left } = this.#raw ? this.#escapes.type(keys) : { send: keys, left: false };
    // Without a connection nothing of what is typed arrives, and one must still be able to leave.
    if (left || (this.#socket === null && keys.includes(CTRL_C))) this.#leaving.abort();
    else if (this.#socket !== null && send.length > 0) this.#send(this.#socket, send);
  }

  #send(socket: LiveSocket, keys: Buffer): void {
    const sent = socket.send(keys);
    if (socket.waiting_bytes <= TYPED_MAX_BYTES) return;
    this.#io.stdin.pause();
    void sent.then(() => this.#io.stdin.resume());
  }

  /** The status that the terminal ended with; null when the connection was lost. */
  async #show(socket: LiveSocket, signal: AbortSignal): Promise<number | null> {
    const leave = (): void => socket[Symbol.dispose]();
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    let exit_status: number | null = null;
    try {
      for await (const message of socket.messages()) {
        if ("bytes" in message) {
          this.#modes.see(message.bytes);
          await write(this.#io.stdout, message.bytes);
          continue;
        }
        const news = processNews(message.text);
        if (news.type === "opened") this.#terminal = news.terminal ?? undefined;
        if (news.type === "exited") exit_status = exitStatus(news);
        if (news.type === "skipped" && !this.#modes.on_other_screen)
          this.#say(`${news.bytes} bytes were left out: this line is too slow for them.`);
      }
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener("abort", leave);
    }
    const error = await socket.closed;
    if (exit_status !== null) return exit_status;
    if (error === null || error.code === "link_lost") return null;
    throw error;
  }

  #say(text: string): void {
    this.#io.stderr.write(this.#raw ? `\r\n[${text}]\r\n` : `${text}\n`);
  }
}
