import { countUntil } from "./times.ts";

/** A time in which nothing happens for longer than this is idle, and played in the second one instead. */
export const IDLE_AFTER_MS = 2_000;
export const IDLE_PLAYED_MS = 1_000;

/**
 * Real time and play time of a replay, in ms since its start; both ascend and end together. Between two corners time runs evenly, so that
 * a shortened part is played fast and not jumped over.
 */
export class PlayTime {
  readonly #real: readonly number[];
  readonly #play: readonly number[];
  /** Parts of the play time that stand for more real time than they take. */
  readonly shortened: readonly { at: number; to: number }[];

  private constructor(
    real: readonly number[],
    play: readonly number[],
    shortened: readonly { at: number; to: number }[],
  ) {
    this.#real = real;
    this.#play = play;
    this.shortened = shortened;
  }

  /** `moments` are those at which something happens, ascending, from 0 to `real_ms`; others are not looked at. */
  static of(moments: Iterable<number>, real_ms: number, options: { skip_idle: boolean }): PlayTime {
    const end = Math.max(0, real_ms);
    const real = [0];
    const play = [0];
    const shortened: { at: number; to: number }[] = [];
    let last = 0;
    let played = 0;
    const pass = (moment: number): void => {
      if (moment - last > IDLE_AFTER_MS) {
        const from = played + (last - (real.at(-1) ?? 0));
        if (last > (real.at(-1) ?? 0)) {
          real.push(last);
          play.push(from);
        }
        real.push(moment);
        play.push(from + IDLE_PLAYED_MS);
        shortened.push({ at: from, to: from + IDLE_PLAYED_MS });
        played = from + IDLE_PLAYED_MS;
      }
      last = Math.max(last, moment);
    };
    if (options.skip_idle) {
      for (const moment of moments) if (moment >= 0 && moment <= end) pass(moment);
      pass(end);
    }
    const rest = end - (real.at(-1) ?? 0);
    if (rest > 0) {
      real.push(end);
      play.push(played + rest);
    }
    return new PlayTime(real, play, shortened);
  }

  get real_ms(): number {
    return this.#real.at(-1) ?? 0;
  }
  get play_ms(): number {
    return this.#play.at(-1) ?? 0;
  }

  toPlay(real: number): number {
    return along(this.#real, this.#play, real);
  }
  toReal(play: number): number {
    return along(this.#play, this.#real, play);
  }
}

function along(from: readonly number[], to: readonly number[], value: number): number {
  const next = countUntil(from, value);
  const from_left = from[next - 1];
  const to_left = to[next - 1];
  if (from_left === undefined || to_left === undefined) return to[0] ?? 0;
  const from_right = from[next];
  const to_right = to[next];
  if (from_right === undefined || to_right === undefined) return to_left;
  return to_left + ((value - from_left) / (from_right - from_left)) * (to_right - to_left);
}
