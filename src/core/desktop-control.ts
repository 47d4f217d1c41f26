import { DESKTOP_VIEWERS_MAX, type DesktopView } from "../contract/desktop-api.ts";
import { AppError } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import type { DesktopControl } from "../contract/surfaces.ts";
import type { Clock } from "./clock.ts";
import type { CurrentJob } from "./current-job.ts";
import { isAtWork } from "./lifecycle.ts";

/** Who drives keeps the desktop for this long after the last connection was lost, because a dropped one comes back. */
export const LEAVE_GRACE_MS = 5_000;

/** What a sandbox did not answer while its link lives is told again after this. */
export const RETELL_MS = 5_000;

type Cause = Extract<EventBody, { type: "control.changed" }>["data"]["cause"];
type Viewer = { id: string; name: string; connections: number };

type Needs = {
  clock: Clock;
  /** Aborted when the job is ending: nothing changes any more. */
  ended: AbortSignal;
  /** Tells the runner how things stand. What rejects is told again over the next link. */
  tell: (control: DesktopControl) => Promise<void>;
  /** Called with what keeps a change from being stored when nobody waits for that change. */
  failed: (error: unknown) => void;
};

/** One connection of one viewer. Disposal is its end. */
export interface DesktopSeat extends Disposable {
  /** Whether its viewer drives right now. */
  readonly drives: boolean;
  /** Whether the clipboard passes right now. */
  readonly clipboard: boolean;
}

/**
 * Who looks at the desktop of one job, and who of them drives it: one at a time, by a lease that is taken, given back, or lost with the last
 * connection. A change is stored as an event before it holds. Meanwhile the agent's desktop tool waits, which is the runner's doing.
 */
export class DesktopLease {
  readonly #job: Pick<CurrentJob, "record" | "apply">;
  readonly #needs: Needs;
  readonly #viewers = new Map<string, Viewer>();
  readonly #listeners = new Set<() => void>();
  #holder: Viewer | null = null;
  #clipboard = true;
  #connections = 0;
  #last: Promise<unknown> = Promise.resolve();
  #telling: Promise<void> | null = null;
  #untold = false;
  #retelling = false;

  constructor(job: Pick<CurrentJob, "record" | "apply">, needs: Needs) {
    this.#job = job;
    this.#needs = needs;
  }

  get view(): DesktopView {
    const viewers = [...this.#viewers.values()].map((one) => ({
      viewer: one.id,
      name: one.name,
      connections: one.connections,
      drives: one === this.#holder,
    }));
    return { held_by: this.#holder?.name ?? null, clipboard: this.#clipboard, viewers };
  }

  /** Calls back after every change of what `view` gives. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** One more connection of a viewer, who keeps the name of the first one. AppError `too_many_requests` when there are too many. */
  join({ viewer, name }: { viewer: string; name: string }): DesktopSeat {
    this.#needs.ended.throwIfAborted();
    if (this.#connections >= DESKTOP_VIEWERS_MAX)
      throw new AppError({
        code: "too_many_requests",
        message: `${DESKTOP_VIEWERS_MAX} viewers look at the desktop of job ${this.#job_id} already.`,
        hint: "Close one of them.",
      });
    const one = this.#viewers.get(viewer) ?? { id: viewer, name, connections: 0 };
    this.#viewers.set(viewer, one);
    one.connections += 1;
    this.#connections += 1;
    this.#changed();
    let seated = true;
    const lease = this;
    return {
      get drives() {
        return seated && lease.#holder === one;
      },
      get clipboard() {
        return lease.#clipboard;
      },
      [Symbol.dispose]: () => {
        if (!seated) return;
        seated = false;
        one.connections -= 1;
        lease.#connections -= 1;
        lease.#left(one);
      },
    };
  }

  /**
   * Lets a viewer drive; resolves when the agent has been told. AppError `conflict` for one who does not look, and while somebody else drives
   * unless it is forced.
   */
  async take(viewer: string, { force }: { force: boolean }): Promise<void> {
    await this.#next(async () => {
      this.#needs.ended.throwIfAborted();
      const wanted = this.#viewers.get(viewer);
      if (wanted === undefined)
        throw new AppError({
          code: "conflict",
          message: `No viewer ${viewer} looks at the desktop of job ${this.#job_id}.`,
          hint: "Connect to the desktop first, and name the same viewer.",
        });
      if (wanted === this.#holder) return;
      if (this.#holder !== null && !force)
        throw new AppError({
          code: "conflict",
          message: `${this.#holder.name} drives the desktop of job ${this.#job_id}.`,
          hint: "Ask them to give it back, or take it over with `force`.",
        });
      await this.#change(wanted, "taken");
    });
    await this.#telling;
  }

  /** Gives the desktop back to the agent; nothing happens when this viewer does not drive. */
  async give(viewer: string): Promise<void> {
    await this.#next(async () => {
      if (this.#holder?.id === viewer) await this.#change(null, "given_back");
    });
    await this.#telling;
  }

  /** Whether the clipboard passes from now on; resolves when the desktop has been told. */
  async setClipboard(enabled: boolean): Promise<void> {
    this.#needs.ended.throwIfAborted();
    this.#clipboard = enabled;
    this.#changed();
    await this.#telling;
  }

  /**
   * To be called with each new link: its runner may know nothing yet, or what an orchestrator before this one said. `held_by` is who drove
   * then; whoever it was comes back as a viewer like any other.
   */
  async linked(held_by: string | null): Promise<void> {
    if (held_by !== null && this.#holder === null) await this.#next(() => this.#change(null, "left"));
    else this.#tell();
  }

  get #job_id(): string {
    return this.#job.record.job_id;
  }

  /** Changes one after the other, so that none is decided on what another one is about to make untrue. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #change(holder: Viewer | null, cause: Cause): Promise<void> {
    const data = { held_by: holder?.name ?? null, cause };
    await this.#job.apply((state) =>
      isAtWork(state) ? { change: {}, events: [{ type: "control.changed", data }] } : null,
    );
    const before = this.#holder;
    // Whoever it is may have gone meanwhile, or gone and come back.
    if (holder !== null && !this.#viewers.has(holder.id)) this.#viewers.set(holder.id, holder);
    this.#holder = holder === null ? null : (this.#viewers.get(holder.id) ?? holder);
    for (const one of [before, this.#holder]) if (one !== null) this.#left(one);
    this.#changed();
  }

  /** Forgets a viewer without a connection; at once, or when one who drives has not come back for a while. */
  #left(viewer: Viewer): void {
    if (viewer.connections > 0) return;
    if (viewer === this.#holder) void this.#awaitReturn(viewer);
    else this.#viewers.delete(viewer.id);
    this.#changed();
  }

  async #awaitReturn(viewer: Viewer): Promise<void> {
    const settled = new AbortController();
    using _watch = this.onChange(() => {
      if (viewer.connections > 0 || viewer !== this.#holder) settled.abort();
    });
    try {
      await this.#needs.clock.sleep(LEAVE_GRACE_MS, AbortSignal.any([settled.signal, this.#needs.ended]));
    } catch {
      // Came back, was followed by somebody else, or the job is over.
      return;
    }
    try {
      await this.#next(async () => {
        if (viewer === this.#holder && viewer.connections === 0) await this.#change(null, "left");
      });
    } catch (error) {
      this.#needs.failed(error);
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
    this.#tell();
  }

  /** One word after the other, since the last one holds. */
  #tell(): void {
    this.#untold = true;
    this.#telling ??= this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    while (this.#untold) {
      this.#untold = false;
      const watched = this.#connections > 0;
      const control = { held_by: this.#holder?.name ?? null, clipboard: this.#clipboard, watched };
      await this.#needs.tell(control).catch((error: unknown) => {
        // Any other answer is that of a runner that heard it, or is of a release without a desktop.
        if (error instanceof AppError && error.code === "link_lost") this.#tellLater();
      });
    }
    // In the turn of the last look: a word that comes right after it finds nobody telling, and is not left lying.
    this.#telling = null;
  }

  /** A link may live on although one answer did not come; a desktop that was given back must not stay closed to the agent. */
  #tellLater(): void {
    if (this.#retelling) return;
    this.#retelling = true;
    const again = (): void => {
      this.#retelling = false;
      if (!this.#needs.ended.aborted) this.#tell();
    };
    this.#needs.clock.sleep(RETELL_MS, this.#needs.ended).then(again, again);
  }
}
