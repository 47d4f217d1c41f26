/** Further notes are only counted. */
const NOTES_MAX = 20;

/** What a copy has done so far. */
export class Copied {
  /** Files and symlinks. */
  files = 0;
  size_bytes = 0;
  /** What was left out, as sentences; all of it is counted in `left_out`. */
  readonly notes: string[] = [];
  left_out = 0;
  readonly #moved: (size_bytes: number) => void;

  /** `moved` hears how many bytes were copied so far. */
  constructor(moved: (size_bytes: number) => void) {
    this.#moved = moved;
  }

  move(bytes: number): void {
    this.size_bytes += bytes;
    this.#moved(this.size_bytes);
  }

  leaveOut(name: string, why: string): void {
    this.left_out += 1;
    if (this.notes.length < NOTES_MAX) this.notes.push(`left out ${name}: ${why}`);
  }
}
