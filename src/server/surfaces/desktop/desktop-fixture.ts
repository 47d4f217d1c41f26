import { type Duplex, duplexPair } from "node:stream";
import { AppError } from "../../../contract/errors.ts";
import type { EventBody } from "../../../contract/event.ts";
import type { LiveTarget } from "../../../contract/live.ts";
import type { DesktopControl } from "../../../contract/surfaces.ts";
import type { JobSurfaces } from "../../../core/job-surfaces.ts";
import { surfacesOver } from "../job-surfaces-fixture.ts";

/** Test support: the surfaces of a job at work, with a desktop that says what tests make it say and notes what it hears. */
export class DesktopWorld {
  readonly surfaces: JobSurfaces;
  /** The desktop's end of each connection, in order. */
  readonly opened: Duplex[] = [];
  readonly told: DesktopControl[] = [];
  readonly events: EventBody[] = [];
  /** How often somebody was at work. */
  touches = 0;
  /** What connecting to the desktop fails with. */
  refusal: AppError | null = null;
  screen = Buffer.from("not really a PNG");
  readonly #ending = new AbortController();
  readonly #heard = new WeakMap<Duplex, Buffer[]>();
  #changed = new EventTarget();

  constructor() {
    const live = {
      connect: async (target: LiveTarget) => this.#connect(target),
      desktop: async (control: DesktopControl) => void this.told.push(control),
      screen: async () => this.screen,
      service: async () => ({ token: null }),
      touch: async () => undefined,
    };
    this.surfaces = surfacesOver(live, {
      job_id: "the-job",
      ending: this.#ending.signal,
      touched: () => {
        this.touches += 1;
      },
      told: (events) => void this.events.push(...events),
    });
  }

  /** What the desktop heard over its n-th connection, once it is at least so many bytes. */
  async heard(n: number, bytes: number): Promise<Buffer> {
    for (;;) {
      const stream = this.opened[n];
      const all = Buffer.concat((stream && this.#heard.get(stream)) ?? []);
      if (all.length >= bytes) return all;
      await this.#change();
    }
  }

  async closed(n: number): Promise<void> {
    while (this.opened[n]?.destroyed !== true) await this.#change();
  }

  endJob(): void {
    this.#ending.abort();
  }

  #connect(target: LiveTarget): Duplex {
    if (this.refusal !== null) throw this.refusal;
    if (target !== "desktop") throw new AppError({ code: "conflict", message: "There is a desktop only." });
    const [outside, inside] = duplexPair();
    const heard: Buffer[] = [];
    this.#heard.set(inside, heard);
    const changed = (): void => void this.#changed.dispatchEvent(new Event("changed"));
    inside.on("data", (chunk: Buffer) => {
      heard.push(chunk);
      changed();
    });
    inside.on("error", () => undefined);
    outside.once("close", () => {
      inside.destroy();
      changed();
    });
    inside.once("close", () => outside.destroy());
    this.opened.push(inside);
    changed();
    return outside;
  }

  #change(): Promise<void> {
    return new Promise((resolve) =>
      this.#changed.addEventListener("changed", () => resolve(), { once: true }),
    );
  }
}
