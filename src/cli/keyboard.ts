import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import type { Io } from "./io.ts";

export type KeyboardHandlers = {
  /** The line that is being typed has changed. */
  changed(): void;
  /** A line was typed and ended with enter. */
  line(text: string): void;
  /** Nothing more comes: Ctrl-D, or the terminal has gone. */
  closed(): void;
};

/**
 * Reads a terminal key by key, so that nothing that is typed appears in the middle of a live view. The line is edited as in a shell;
 * Ctrl-C and Ctrl-Z do what they do otherwise. Dispose it to give the terminal back.
 */
export class Keyboard implements Disposable {
  readonly #io: Io;
  readonly #handlers: KeyboardHandlers;
  readonly #reader: Interface;
  #open = true;

  constructor(io: Io, handlers: KeyboardHandlers) {
    this.#io = io;
    this.#handlers = handlers;
    this.#reader = createInterface({
      input: io.stdin,
      // The view shows what is typed.
      output: new Writable({ write: (_chunk, _encoding, done) => done() }),
      terminal: true,
      historySize: 0,
    });
    this.#reader.on("line", (text) => handlers.line(text));
    this.#reader.on("SIGINT", () => io.interrupt());
    // After Ctrl-Z and `fg` the reader is paused.
    this.#reader.on("SIGCONT", () => this.#reader.resume());
    this.#reader.on("close", this.#ended);
    io.stdin.on("error", this.#ended);
    // The reader's own listener came first, so the line is up to date by now.
    io.stdin.on("keypress", this.#pressed);
  }

  get open(): boolean {
    return this.#open;
  }

  /** What is typed so far, and before which of its characters the cursor stands. */
  get typed(): { text: string; cursor: number } {
    return { text: this.#reader.line, cursor: this.#reader.cursor };
  }

  /** Forgets what is typed so far. */
  clear(): void {
    if (this.#reader.line === "") return;
    this.#reader.write(null, { ctrl: true, name: "e" });
    this.#reader.write(null, { ctrl: true, name: "u" });
  }

  /** Puts a line back, as if it had not been sent; nothing when another one was begun meanwhile. */
  restore(text: string): void {
    if (this.#open && this.#reader.line === "") this.#reader.write(text);
  }

  readonly #pressed = () => {
    if (this.#open) this.#handlers.changed();
  };

  readonly #ended = () => {
    if (!this.#open) return;
    this[Symbol.dispose]();
    this.#handlers.closed();
  };

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#io.stdin.off("error", this.#ended);
    this.#io.stdin.off("keypress", this.#pressed);
    this.#reader.close();
  }
}
