/** A colour of a terminal: one of its palette by number (the first 16 are the theme's), or `#rrggbb`. */
export type TerminalColour = number | string;

/** How a piece of terminal text looks, after its SGR sequences (ECMA-48, and xterm's 256 and direct colours). */
export type TextStyle = {
  foreground: TerminalColour | null;
  background: TerminalColour | null;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  struck: boolean;
  inverse: boolean;
};

export const PLAIN: TextStyle = {
  foreground: null,
  background: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  struck: false,
  inverse: false,
};

/** More numbers than this in one sequence are no style that a program means. */
const NUMBERS_MAX = 64;

const SWITCHES: Readonly<Record<number, Partial<TextStyle>>> = {
  0: PLAIN,
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { struck: true },
  21: { underline: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { struck: false },
  39: { foreground: null },
  49: { background: null },
};

/** The style after a sequence whose parameters stood between `ESC [` and `m`. What is unknown changes nothing, so text never vanishes. */
export function styleAfter(style: TextStyle, parameters: string): TextStyle {
  const fields = (parameters === "" ? "0" : parameters).split(";").slice(0, NUMBERS_MAX);
  let now = style;
  for (let index = 0; index < fields.length; index += 1) {
    const [head = 0, ...sub] = (fields[index] ?? "").split(":").map(Number);
    if (head === 38 || head === 48) {
      const rest = sub.length > 0 ? sub : fields.slice(index + 1).map(Number);
      const { colour, used } = extended(rest, sub.length > 0);
      if (sub.length === 0) index += used;
      if (colour !== null) now = { ...now, [head === 38 ? "foreground" : "background"]: colour };
    } else if (head === 4 && sub[0] === 0) now = { ...now, underline: false };
    else now = { ...now, ...(SWITCHES[head] ?? paletteOf(head)) };
  }
  return now;
}

function paletteOf(number: number): Partial<TextStyle> {
  if (number >= 30 && number <= 37) return { foreground: number - 30 };
  if (number >= 40 && number <= 47) return { background: number - 40 };
  if (number >= 90 && number <= 97) return { foreground: number - 90 + 8 };
  if (number >= 100 && number <= 107) return { background: number - 100 + 8 };
  return {};
}

/** `5;n` or `2;r;g;b`; with colons a colour space may stand before the three. */
function extended(rest: number[], colons: boolean): { colour: TerminalColour | null; used: number } {
  if (rest[0] === 5) return { colour: byte(rest[1]), used: 2 };
  if (rest[0] !== 2) return { colour: null, used: 1 };
  const parts = rest.slice(colons && rest.length > 4 ? 2 : 1).slice(0, 3);
  const [red, green, blue] = parts.map(byte);
  if (red == null || green == null || blue == null) return { colour: null, used: 4 };
  return { colour: hex(red, green, blue), used: 4 };
}

function byte(value: number | undefined): number | null {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= 255 ? value : null;
}

/** The colours of xterm's palette beyond the first 16: a cube of 6×6×6, then 24 greys. */
export function paletteHex(number: number): string {
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return hex(grey, grey, grey);
  }
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const place = number - 16;
  return hex(level(Math.floor(place / 36)), level(Math.floor(place / 6) % 6), level(place % 6));
}

function hex(...parts: number[]): string {
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
