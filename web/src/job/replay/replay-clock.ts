import { PlayTime } from "./play-time.ts";

export const SPEEDS = [1, 2, 4, 8, 16] as const;
export type Speed = (typeof SPEEDS)[number];

/** Calls back before the next picture, with the time in ms; gives back what cancels that. */
export type Frames = (callback: (now: number) => void) => () => void;

export type ClockState = {
  /** Real ms since the job was scheduled; null: as it is now. */
  at: number | null;
  playing: boolean;
  speed: Speed;
  skip_idle: boolean;
};

/** A frame later than this is played as if it came after it: a tab that was hidden goes on where it was. */
const FRAME_MAX_MS = 250;

/** Where a replay is, and how it goes on. Listeners are told with every frame; what is slow looks less often. */
export class ReplayClock {
  readonly #frames: Frames;
  readonly #listeners = new Set<() => void>();
  #state: ClockState = { at: null, playing: false, speed: 1, skip_idle: true };
  #moments: readonly number[] = [];
  #time = PlayTime.of([], 0, { skip_idle: true });
  #cancel: (() => void) | null = null;
  #last_frame: number | null = null;

  constructor(frames: Frames) {
    this.#frames = frames;
  }

  get state(): ClockState {
    return this.#state;
  }
  get time(): PlayTime {
    return this.#time;
  }
  /** Where it is in play time; the end when it shows now. */
  get played_ms(): number {
    const { at } = this.#state;
    return at === null ? this.#time.play_ms : this.#time.toPlay(at);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What happened in the job, in ms since its start, ascending; the moment that is shown stays. */
  setMoments(moments: readonly number[], real_ms: number): void {
    this.#moments = moments;
    this.#time = PlayTime.of(moments, real_ms, this.#state);
    this.#tell({});
  }

  /** In real ms since the start, kept within the job; null goes back to now, and stops. */
  seek(at: number | null): void {
    if (at === null) this.pause();
    this.#tell({ at: at === null ? null : Math.min(Math.max(0, at), this.#time.real_ms) });
  }

  /** Forward or, with less than nothing, back in play time. */
  move(play_ms: number): void {
    const to = Math.min(Math.max(0, this.played_ms + play_ms), this.#time.play_ms);
    this.seek(this.#time.toReal(to));
  }

  /** From where it is; from the start when it is at the end or shows now. */
  play(): void {
    if (this.#state.playing || this.#time.real_ms === 0) return;
    const ended = this.played_ms >= this.#time.play_ms;
    this.#last_frame = null;
    this.#tell({ playing: true, at: ended ? 0 : this.#state.at });
    this.#cancel = this.#frames(this.#frame);
  }

  pause(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#state.playing) this.#tell({ playing: false });
  }

  toggle(): void {
    if (this.#state.playing) this.pause();
    else this.play();
  }

  setSpeed(speed: Speed): void {
    this.#tell({ speed });
  }

  setSkipIdle(skip_idle: boolean): void {
    this.#time = PlayTime.of(this.#moments, this.#time.real_ms, { skip_idle });
    this.#tell({ skip_idle });
  }

  readonly #frame = (now: number): void => {
    const passed = this.#last_frame === null ? 0 : Math.min(now - this.#last_frame, FRAME_MAX_MS);
    this.#last_frame = now;
    const played = this.played_ms + passed * this.#state.speed;
    if (played >= this.#time.play_ms) {
      this.#cancel = null;
      this.#tell({ at: this.#time.real_ms, playing: false });
      return;
    }
    this.#tell({ at: this.#time.toReal(played) });
    this.#cancel = this.#frames(this.#frame);
  };

  #tell(change: Partial<ClockState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
