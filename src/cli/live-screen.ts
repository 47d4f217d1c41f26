import { type Io, write } from "./io.ts";

const REDRAW_MS = 100;
const TICK_MS = 1000;

/**
 * A terminal of which the last rows are redrawn (at most ten times a second, and each second for the clocks in them) while whole
 * rows are appended above them. Where nothing can be redrawn, rows are only appended. `close` must be called once.
 */
export class LiveScreen {
  readonly #io: Io;
  readonly #bottom: () => string[];
  /** Whether there are rows that are redrawn. */
  readonly redraws: boolean;
  readonly #ticking: NodeJS.Timeout | null;
  #soon: NodeJS.Timeout | null = null;
  #drawn_rows = 0;
  #drawn = "";
  #drawn_at = 0;
  #closed = false;

  /** `bottom` gives the rows at the end, each no wider than the terminal. */
  constructor(io: Io, bottom: () => string[]) {
    this.#io = io;
    this.#bottom = bottom;
    this.redraws = io.terminal.stdout && io.env.TERM !== "dumb";
    this.#ticking = this.redraws ? setInterval(() => this.redraw(), TICK_MS) : null;
    this.#ticking?.unref();
  }

  /** Appends whole rows; the last rows come back at once or, in a flood, a moment later. */
  async append(rows: string[]): Promise<void> {
    if (rows.length > 0) await write(this.#io.stdout, `${this.#erased()}${rows.join("\n")}\n`);
    if (!this.redraws || this.#closed) return;
    const wait = REDRAW_MS - (performance.now() - this.#drawn_at);
    if (wait <= 0) this.redraw();
    else this.#soon ??= setTimeout(() => this.redraw(), wait);
  }

  /** Draws the last rows anew when they have changed. */
  redraw(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    if (!this.redraws || this.#closed) return;
    const rows = this.#bottom();
    const text = rows.join("\n");
    if (text === this.#drawn) return;
    this.#io.stdout.write(this.#erased() + text);
    this.#drawn = text;
    this.#drawn_rows = rows.length;
    this.#drawn_at = performance.now();
  }

  /** Takes the last rows away and leaves these in their place. */
  async close(rows: string[]): Promise<void> {
    this.#closed = true;
    if (this.#ticking !== null) clearInterval(this.#ticking);
    if (this.#soon !== null) clearTimeout(this.#soon);
    await write(this.#io.stdout, this.#erased() + rows.map((row) => `${row}\n`).join(""));
  }

  #erased(): string {
    const codes = this.#drawn_rows === 0 ? "" : `\r\x1b[2K${"\x1b[1A\x1b[2K".repeat(this.#drawn_rows - 1)}`;
    this.#drawn_rows = 0;
    this.#drawn = "";
    return codes;
  }
}
