import { type Duplex, duplexPair } from "node:stream";
import { AppError } from "../../../contract/errors.ts";
import type { EventBody } from "../../../contract/event.ts";
import type { LiveTarget } from "../../../contract/live.ts";
import type { DesktopControl } from "../../../contract/surfaces.ts";
import { JobSurfaces } from "../../../core/job-surfaces.ts";
import { initialState } from "../../../core/lifecycle.ts";
import type { SandboxLink } from "../../../core/link.ts";

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
    const state = { ...initialState(), phase: "working" as const };
    const link = {
      live: {
        connect: async (target: LiveTarget) => this.#connect(target),
        desktop: async (control: DesktopControl) => void this.told.push(control),
        screen: async () => this.screen,
        service: async () => ({ token: null }),
        touch: async () => undefined,
      },
    };
    this.surfaces = new JobSurfaces(
      {
        record: { job_id: "the-job" } as never,
        state,
        apply: async (change) => {
          const transition = typeof change === "function" ? change(state) : change;
          this.events.push(...(transition?.events ?? []));
        },
      },
      {
        link: () => link as unknown as SandboxLink,
        ending: this.#ending,
        records_terminals: false,
        touch: () => {
          this.touches += 1;
        },
        failed: (error) => {
          throw error;
        },
        clock: {
          now: () => "2026-01-01T00:00:00.000Z",
          sleep: (_ms, signal) =>
            new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        },
      },
    );
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
