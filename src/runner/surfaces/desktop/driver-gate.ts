import { untilAborted } from "../until-aborted.ts";

/** Keeps the agent's hands off the desktop while a person drives it. */
export class DriverGate {
  #held_by: string | null = null;
  #freed = Promise.withResolvers<void>();
  #drives = 0;

  /** Who drives; null when the agent may. */
  get held_by(): string | null {
    return this.#held_by;
  }

  /** How often a person has begun to drive: with another number than before, nothing may be where it was. */
  get drives(): number {
    return this.#drives;
  }

  hold(by: string | null): void {
    if (by !== null && this.#held_by === null) {
      this.#drives += 1;
      this.#freed = Promise.withResolvers<void>();
    }
    this.#held_by = by;
    if (by === null) this.#freed.resolve();
  }

  /** Resolves when nobody drives. Rejects with the signal's reason. */
  async free(signal: AbortSignal): Promise<void> {
    while (this.#held_by !== null) await untilAborted(this.#freed.promise, signal);
  }
}
