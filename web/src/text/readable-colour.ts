/** The least contrast that text has with its ground (WCAG 2.2, 1.4.3). */
const CONTRAST_MIN = 4.5;
/** The grounds of outputs, light and dark (`sunken` in styles.css), as relative luminance. */
const LIGHT_GROUND = 0.87;
const DARK_GROUND = 0.006;
const STEPS = 20;

const known = new Map<string, string>();
const KNOWN_MAX = 2_000;

/** A colour that a program chose for text, as CSS: towards black or white in each theme as far as it takes to be read there. */
export function readableColour(hex: string): string {
  const old = known.get(hex);
  if (old !== undefined) return old;
  if (known.size >= KNOWN_MAX) known.clear();
  const css = `light-dark(${towards(hex, 0, LIGHT_GROUND)}, ${towards(hex, 255, DARK_GROUND)})`;
  known.set(hex, css);
  return css;
}

function towards(hex: string, end: 0 | 255, ground: number): string {
  const parts = [1, 3, 5].map((index) => Number.parseInt(hex.slice(index, index + 2), 16));
  for (let step = 0; step <= STEPS; step += 1) {
    const mixed = parts.map((part) => Math.round(part + ((end - part) * step) / STEPS));
    if (contrast(luminance(mixed), ground) >= CONTRAST_MIN) return `rgb(${mixed.join(" ")})`;
  }
  return end === 0 ? "black" : "white";
}

function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

function luminance(parts: number[]): number {
  const [red = 0, green = 0, blue = 0] = parts.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
