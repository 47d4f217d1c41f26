import type { RunnerEventBody } from "../../../contract/event.ts";
import { EPHEMERAL_PORTS_FROM } from "./listening-ports.ts";

/** A port that is back within this time never closed: a server that starts again is no news. */
export const CLOSED_AFTER_MS = 2_000;
/** A port that the system chose is told of when it is still there after this. */
export const EPHEMERAL_AFTER_MS = 300;
/** Of one port, and of all together; what comes after is not told. The list of ports is always true. */
export const EVENTS_PER_PORT_MAX = 20;
export const EVENTS_MAX = 1_000;
const PORTS_REMEMBERED = 2_000;

type PortEvent = Extract<RunnerEventBody, { type: "port.opened" | "port.closed" }>;
/** `since_ms` is when it was seen first of all times in a row; infinite while it is away. */
type Port = { since_ms: number; seen_ms: number; told: boolean; events: number };

/** Makes of what listens from time to time what people are told: each port that opens and closes, and no flapping. */
export class PortChanges {
  readonly #ports = new Map<number, Port>();
  #events = 0;

  /** What is to be told now. `listening` has who listens, by port. */
  seen(listening: ReadonlyMap<number, string | null>, now_ms: number): PortEvent[] {
    const told: PortEvent[] = [];
    for (const [port, process] of listening) {
      const known = this.#known(port, now_ms);
      if (known === null) continue;
      known.seen_ms = now_ms;
      known.since_ms = Math.min(known.since_ms, now_ms);
      const wait_ms = port < EPHEMERAL_PORTS_FROM ? 0 : EPHEMERAL_AFTER_MS;
      if (known.told || now_ms - known.since_ms < wait_ms || !this.#mayTell(known, 2)) continue;
      known.told = true;
      told.push({ type: "port.opened", data: { port, process } });
    }
    for (const [port, known] of this.#ports) {
      if (listening.has(port)) continue;
      if (!known.told) known.since_ms = Number.POSITIVE_INFINITY;
      else if (now_ms - known.seen_ms >= CLOSED_AFTER_MS && this.#mayTell(known, 1)) {
        known.told = false;
        known.since_ms = Number.POSITIVE_INFINITY;
        told.push({ type: "port.closed", data: { port } });
      }
    }
    return told;
  }

  #known(port: number, now_ms: number): Port | null {
    const known = this.#ports.get(port);
    if (known !== undefined) return known;
    if (this.#ports.size >= PORTS_REMEMBERED) return null;
    const fresh = { since_ms: now_ms, seen_ms: now_ms, told: false, events: 0 };
    this.#ports.set(port, fresh);
    return fresh;
  }

  /** With `left` events to spare, so that a port that is told to have opened is also told to have closed. */
  #mayTell(port: Port, left: number): boolean {
    if (port.events + left > EVENTS_PER_PORT_MAX || this.#events + left > EVENTS_MAX) return false;
    port.events += 1;
    this.#events += 1;
    return true;
  }
}
