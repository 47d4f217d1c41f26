import { CLOSED } from "../../../../src/contract/live-closing.ts";
import type { ProcessNews, TerminalList } from "../../../../src/contract/surfaces.ts";
import { ApiError, requestJson } from "../../api/request.ts";
import { waitBefore } from "../../api/wait-before.ts";
import { socketAddress } from "./reconnect.ts";

/** How the connection to a terminal stands. */
export type TerminalState =
  | { kind: "connecting" }
  | { kind: "on" }
  /** It broke off, and is tried again. */
  | { kind: "lost" }
  /** What ran in it has ended, with these words. */
  | { kind: "exited"; text: string }
  /** It cannot be had any more, or never could. */
  | { kind: "refused"; text: string };

export type TerminalSize = { columns: number; rows: number };

type Told = {
  state(state: TerminalState): void;
  /** The terminal has this id: it was opened, or come back to, and what it shows follows from the start. */
  opened(terminal: string): void;
  output(bytes: Uint8Array): void;
  /** So much output is missing here. */
  skipped(bytes: number): void;
};

/** Keeps a connection to a terminal in a sandbox, a new one where no id is given; comes back to it by itself. Disposal leaves it running. */
export class TerminalLine implements Disposable {
  readonly #path: string;
  readonly #told: Told;
  readonly #gone = new AbortController();
  #terminal: string | null;
  #size: TerminalSize;
  #socket: WebSocket | null = null;
  #tries = 0;

  constructor(job_id: string, options: { terminal: string | null; size: TerminalSize; told: Told }) {
    this.#path = `/jobs/${job_id}`;
    this.#terminal = options.terminal;
    this.#size = options.size;
    this.#told = options.told;
    this.#open();
  }

  [Symbol.dispose](): void {
    this.#gone.abort();
    this.#socket?.close(CLOSED.done);
  }

  type(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    if (this.#socket?.readyState === WebSocket.OPEN)
      this.#socket.send(JSON.stringify({ type: "resize", ...size }));
  }

  #open(): void {
    const { columns, rows } = this.#size;
    const query = new URLSearchParams({ columns: String(columns), rows: String(rows) });
    if (this.#terminal !== null) query.set("id", this.#terminal);
    const socket = new WebSocket(socketAddress(`${this.#path}/terminal?${query}`));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let connected = false;
    let exit: string | null = null;
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#gone.signal.aborted) return;
      if (typeof data !== "string") return this.#told.output(new Uint8Array(data));
      const news: ProcessNews = JSON.parse(data);
      if (news.type === "opened" && news.terminal !== null) {
        connected = true;
        this.#tries = 0;
        this.#terminal = news.terminal;
        this.#told.opened(news.terminal);
        this.#told.state({ kind: "on" });
        // It may have become another size while the connection was made.
        this.resize(this.#size);
      } else if (news.type === "skipped") this.#told.skipped(news.bytes);
      else if (news.type === "exited") exit = exitWords(news);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.#gone.signal.aborted) return;
      if (exit !== null) return this.#told.state({ kind: "exited", text: exit });
      if (code === CLOSED.ended || code === CLOSED.refused)
        return this.#told.state({ kind: "refused", text: reason });
      void this.#again(connected);
    });
  }

  async #again(connected: boolean): Promise<void> {
    const { signal } = this.#gone;
    if (!connected) {
      const refusal = await this.#refusal(signal);
      if (signal.aborted) return;
      if (refusal !== null) return this.#told.state({ kind: "refused", text: refusal });
    }
    if (connected || this.#tries > 0) this.#told.state({ kind: "lost" });
    const timer = setTimeout(() => this.#open(), waitBefore(this.#tries));
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    this.#tries += 1;
  }

  /** A refused WebSocket says nothing to a page, so the list is asked for; null when trying again may help. */
  async #refusal(signal: AbortSignal): Promise<string | null> {
    try {
      const { terminals } = await requestJson<TerminalList>(`${this.#path}/terminals`, { signal });
      const lives = terminals.some(({ id }) => id === this.#terminal);
      if (this.#terminal !== null) return lives ? null : "It ended while nobody was here.";
      return this.#tries > 2 ? "The sandbox opens no further terminal." : null;
    } catch (error) {
      const lasting = error instanceof ApiError && error.status >= 400 && error.status < 500;
      return lasting && error.status !== 429 ? error.message : null;
    }
  }
}

function exitWords({ exit_code, signal }: Extract<ProcessNews, { type: "exited" }>): string {
  if (signal !== null) return `It was ended by ${signal}.`;
  return exit_code === 0 ? "It has ended." : `It has ended with exit code ${exit_code ?? "unknown"}.`;
}
