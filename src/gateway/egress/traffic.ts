import type { Socket } from "node:net";

/** How often the bytes of a job that has a limit are added up; it passes its limit by what it moves in this time. */
const COUNT_MS = 500;

export type TrafficLimits = {
  /** Connections of one job at the same time, those that still wait for an answer included. */
  connections: number;
  /** What one job may move in both directions; null means that nobody counts. */
  bytes: number | null;
};

/** What one job has open, and what went through it. */
export class Traffic {
  readonly #limits: TrafficLimits;
  readonly #sockets = new Set<Socket>();
  #clients = 0;
  #open = 0;
  #closed_bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: TrafficLimits) {
    this.#limits = limits;
  }

  /** Counts a program that talks to the proxy; false when there are too many. */
  enter(): boolean {
    if (this.#clients >= this.#limits.connections) return false;
    this.#clients += 1;
    return true;
  }

  leave(): void {
    this.#clients -= 1;
  }

  /** Takes a place for a connection to a host, until it is disposed; null when there is none. */
  begin(): Disposable | null {
    if (this.#open >= this.#limits.connections) return null;
    this.#open += 1;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#open -= 1;
        held = false;
      },
    };
  }

  get exhausted(): boolean {
    return this.#limits.bytes !== null && this.#bytes >= this.#limits.bytes;
  }

  /** Counts what goes through a socket until it closes, and cuts it when the job has used up its bytes. */
  watch(socket: Socket): void {
    if (this.#limits.bytes === null) return;
    this.#sockets.add(socket);
    this.#timer ??= setInterval(() => this.#cut(), COUNT_MS).unref();
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#closed_bytes += socket.bytesRead + socket.bytesWritten;
      if (this.#sockets.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  #cut(): void {
    if (this.exhausted) for (const socket of this.#sockets) socket.destroy();
  }

  get #bytes(): number {
    return [...this.#sockets].reduce(
      (sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten,
      this.#closed_bytes,
    );
  }
}
