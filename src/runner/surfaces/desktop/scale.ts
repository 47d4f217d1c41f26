import { PIXEL_BYTES, type Picture } from "./framebuffer.ts";

/** How much smaller a picture must be to fit; 1 when it fits. */
export function scaleToFit(
  { width, height }: { width: number; height: number },
  most: { width: number; height: number },
): number {
  return Math.min(1, most.width / width, most.height / height);
}

/** The picture made smaller: each pixel is the average of the area that it stands for. The same picture when `scale` is 1. */
export function scaled(from: Picture, scale: number): Picture {
  if (scale === 1) return from;
  const width = Math.max(1, Math.round(from.width * scale));
  const height = Math.max(1, Math.round(from.height * scale));
  const pixels = Buffer.alloc(width * height * PIXEL_BYTES);
  const columns = spans(from.width, width);
  const sums = new Float64Array(width * 3);
  for (const [y, [top, bottom]] of spans(from.height, height).entries()) {
    sums.fill(0);
    for (let row = Math.floor(top); row < bottom; row++) {
      const weight = Math.min(row + 1, bottom) - Math.max(row, top);
      addRow(from, row, { columns, weight, sums });
    }
    const area = (bottom - top) * (from.width / width);
    for (let x = 0; x < width; x++)
      for (let colour = 0; colour < 3; colour++)
        pixels[(y * width + x) * PIXEL_BYTES + colour] = Math.round((sums[x * 3 + colour] ?? 0) / area);
  }
  return { width, height, pixels };
}

/** The part of `from` that each of `to` pixels stands for. */
function spans(from: number, to: number): [number, number][] {
  return Array.from({ length: to }, (_, n) => [(n * from) / to, ((n + 1) * from) / to]);
}

function addRow(
  { width, pixels }: Picture,
  row: number,
  into: { columns: [number, number][]; weight: number; sums: Float64Array },
): void {
  for (const [x, [left, right]] of into.columns.entries()) {
    let [red, green, blue] = [0, 0, 0];
    for (let column = Math.floor(left); column < right; column++) {
      const weight = (Math.min(column + 1, right) - Math.max(column, left)) * into.weight;
      const at = (row * width + column) * PIXEL_BYTES;
      red += (pixels[at] ?? 0) * weight;
      green += (pixels[at + 1] ?? 0) * weight;
      blue += (pixels[at + 2] ?? 0) * weight;
    }
    into.sums[x * 3] = (into.sums[x * 3] ?? 0) + red;
    into.sums[x * 3 + 1] = (into.sums[x * 3 + 1] ?? 0) + green;
    into.sums[x * 3 + 2] = (into.sums[x * 3 + 2] ?? 0) + blue;
  }
}
