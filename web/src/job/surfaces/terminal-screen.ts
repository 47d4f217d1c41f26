import "@xterm/xterm/css/xterm.css";
import { FitAddon } from "@xterm/addon-fit";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { type ITheme, Terminal } from "@xterm/xterm";
import { webAddress } from "../../text/safe-link.tsx";
import type { TerminalSize } from "./terminal-line.ts";

const USUAL_FONT = 'ui-monospace, "DejaVu Sans Mono", monospace';
const OWN_FONT = '"JetBrains Mono Variable"';
const FONT_SIZE_PX = 13;
const SCROLLBACK_LINES = 10_000;
/** Output that waits to be drawn; what comes on top of it is left out, because the page would run out of memory. */
const WAITING_MAX_BYTES = 8 * 1024 * 1024;

type Told = {
  typed(bytes: Uint8Array<ArrayBuffer>): void;
  resized(size: TerminalSize): void;
  /** Somebody wants to go to an address that a program has shown. */
  link(address: string): void;
  /** The key that leads out of the terminal was pressed. */
  leave(): void;
};

/**
 * A terminal on the page. What programs send is hostile: it draws in this terminal and does nothing else. The window's title, its size and
 * the clipboard are not theirs to change, and their links are asked about.
 */
export class TerminalScreen implements Disposable {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #sizes: ResizeObserver;
  #waiting_bytes = 0;
  #left_out_bytes = 0;

  constructor(place: HTMLElement, { told, screen_reader }: { told: Told; screen_reader: boolean }) {
    const link = (address: string): void => {
      const safe = webAddress(address);
      if (safe !== null) told.link(safe);
    };
    const terminal = new Terminal({
      fontFamily: USUAL_FONT,
      fontSize: FONT_SIZE_PX,
      lineHeight: 1.2,
      scrollback: SCROLLBACK_LINES,
      cursorBlink: true,
      screenReaderMode: screen_reader,
      minimumContrastRatio: 4.5,
      rightClickSelectsWord: false,
      allowProposedApi: false,
      windowOptions: {},
      linkHandler: { activate: (_event, address) => link(address), allowNonHttpProtocols: false },
      theme: THEME,
    });
    this.#terminal = terminal;
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(new WebLinksAddon((_event, address) => link(address)));
    terminal.open(place);
    // Its first size is what the terminal inside is opened with, and no change.
    this.fit();
    const encoder = new TextEncoder();
    terminal.onData((text) => told.typed(encoder.encode(text)));
    terminal.onBinary((text) => told.typed(Uint8Array.from(text, (one) => one.charCodeAt(0) & 255)));
    terminal.onResize(({ cols, rows }) => told.resized({ columns: cols, rows }));
    terminal.attachCustomKeyEventHandler((event) => this.#key(event, told.leave));
    this.#sizes = new ResizeObserver(() => this.fit());
    this.#sizes.observe(place);
    void this.#takeOwnFont();
  }

  [Symbol.dispose](): void {
    this.#sizes.disconnect();
    this.#terminal.dispose();
  }

  get size(): TerminalSize {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  set screen_reader(on: boolean) {
    this.#terminal.options.screenReaderMode = on;
  }

  /** Takes the size of its place; a place that is not shown has none. */
  fit(): void {
    const wanted = this.#fit.proposeDimensions();
    if (wanted !== undefined && wanted.cols > 1 && wanted.rows > 1) this.#fit.fit();
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** What it shows is about to be sent again, from the start. */
  clear(): void {
    this.#terminal.reset();
  }

  show(bytes: Uint8Array): void {
    if (this.#waiting_bytes > WAITING_MAX_BYTES) {
      this.#left_out_bytes += bytes.length;
      return;
    }
    this.#waiting_bytes += bytes.length;
    this.#terminal.write(bytes, () => {
      this.#waiting_bytes -= bytes.length;
      if (this.#left_out_bytes === 0) return;
      const left_out = this.#left_out_bytes;
      this.#left_out_bytes = 0;
      this.skipped(left_out);
    });
  }

  skipped(bytes: number): void {
    this.#terminal.write(
      `\r\n\x1b[0;2m[${bytes.toLocaleString()} bytes of output were too fast to be shown]\x1b[0m\r\n`,
    );
  }

  copy(): void {
    if (this.#terminal.hasSelection())
      // Without leave the browser says so itself.
      navigator.clipboard.writeText(this.#terminal.getSelection()).catch(() => undefined);
  }

  paste(): void {
    navigator.clipboard.readText().then(
      (text) => this.#terminal.paste(text),
      () => undefined,
    );
  }

  /** Cells are measured once for each font, so it is named only when it is there. */
  async #takeOwnFont(): Promise<void> {
    const faces = await document.fonts.load(`${FONT_SIZE_PX}px ${OWN_FONT}`).catch(() => []);
    if (faces.length === 0) return;
    this.#terminal.options.fontFamily = `${OWN_FONT}, ${USUAL_FONT}`;
    this.fit();
  }

  /** Whether a key goes to the program: copying, pasting and leaving stay here. */
  #key(event: KeyboardEvent, leave: () => void): boolean {
    if (!event.ctrlKey || !event.shiftKey) return true;
    const acts: Record<string, () => void> = {
      KeyC: () => this.copy(),
      KeyV: () => this.paste(),
      ArrowUp: leave,
    };
    const act = acts[event.code];
    if (act === undefined) return true;
    event.preventDefault();
    if (event.type === "keydown") act();
    return false;
  }
}

/** Dark in both themes, in the tones of the page. */
const THEME: ITheme = {
  background: "#0c1016",
  foreground: "#d7dee7",
  cursor: "#5cc5bc",
  cursorAccent: "#0c1016",
  selectionBackground: "#2f6f6a99",
  black: "#1b2230",
  red: "#f38b82",
  green: "#63c88a",
  yellow: "#f0b866",
  blue: "#7fb0f5",
  magenta: "#b8a5f5",
  cyan: "#5cc5bc",
  white: "#c6cfda",
  brightBlack: "#7c899b",
  brightRed: "#f7aaa3",
  brightGreen: "#8fdcac",
  brightYellow: "#f6cd8c",
  brightBlue: "#a5c8fa",
  brightMagenta: "#d0c3fa",
  brightCyan: "#8fdad3",
  brightWhite: "#f2f5f8",
};
