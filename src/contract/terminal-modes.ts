const ESCAPE = 0x1b;
/** The longest sequence that is looked at; one that goes on after the end of a chunk is looked at with the next one. */
const SEQUENCE_MAX_BYTES = 64;
const FULL_RESET = "\x1bc";

/**
 * The private modes of a terminal (xterm's "DECSET") that a program which is left alone leaves behind, and whether they are on in a fresh
 * terminal: keys of the cursor, wrapping, the cursor itself, mice, the other screen, pasting in brackets.
 */
const MODES: ReadonlyMap<number, boolean> = new Map([
  [1, false],
  [7, true],
  [9, false],
  [25, true],
  [47, false],
  [66, false],
  [1000, false],
  [1001, false],
  [1002, false],
  [1003, false],
  [1004, false],
  [1005, false],
  [1006, false],
  [1007, false],
  [1015, false],
  [1016, false],
  [1047, false],
  [1049, false],
  [2004, false],
]);
const OTHER_SCREEN = [47, 1047, 1049];

/** Reads along what is written to a terminal, and knows which of its modes are not as in a fresh one. */
export class TerminalModes {
  readonly #changed = new Set<number>();
  #rest: Buffer = Buffer.alloc(0);

  see(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    for (let at = bytes.indexOf(ESCAPE); at >= 0; at = bytes.indexOf(ESCAPE, at + 1)) {
      const text = bytes.toString("latin1", at, at + SEQUENCE_MAX_BYTES);
      const [, numbers, switched] = /^\x1b\[\?([\d;]+)([hl])/.exec(text) ?? [];
      if (numbers !== undefined) this.#switch(numbers.split(";").map(Number), switched === "h");
      else if (text.startsWith(FULL_RESET)) this.#changed.clear();
      else if (text.length < SEQUENCE_MAX_BYTES && /^\x1b(\[(\?[\d;]*)?)?$/.test(text))
        this.#rest = Buffer.from(bytes.subarray(at));
    }
  }

  /** The same state, which goes its own way from here on. */
  copy(): TerminalModes {
    const copy = new TerminalModes();
    for (const mode of this.#changed) copy.#changed.add(mode);
    copy.#rest = this.#rest;
    return copy;
  }

  /** Whether a program has the whole screen for itself, and so can be asked to draw it anew. */
  get on_other_screen(): boolean {
    return OTHER_SCREEN.some((mode) => this.#changed.has(mode));
  }

  /** What brings a fresh terminal to this state. */
  restore(): string {
    return this.#sequences((usual) => !usual);
  }

  /** What brings a terminal in this state back to that of a fresh one. */
  undo(): string {
    return this.#sequences((usual) => usual);
  }

  #switch(modes: number[], on: boolean): void {
    for (const mode of modes) {
      const usual = MODES.get(mode);
      if (usual === undefined) continue;
      if (on === usual) this.#changed.delete(mode);
      else this.#changed.add(mode);
    }
  }

  #sequences(wanted: (usual: boolean) => boolean): string {
    return [...this.#changed]
      .map((mode) => `\x1b[?${mode}${wanted(MODES.get(mode) === true) ? "h" : "l"}`)
      .join("");
  }
}
