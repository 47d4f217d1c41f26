/** A screen with more pixels than this (a little over 4K) is not looked at. */
export const PIXELS_MAX = 4096 * 2304;
export const PIXEL_BYTES = 4;

/** A picture in memory: four bytes a pixel (red, green, blue, and one without a meaning), row by row from the top. */
export type Picture = { width: number; height: number; pixels: Buffer };

/** The same at another time: later changes of the one are none of the other. */
export function copyOf({ width, height, pixels }: Picture): Picture {
  return { width, height, pixels: Buffer.from(pixels) };
}

/** A picture of another size with what both have in common. */
export function resized(from: Picture, width: number, height: number): Picture {
  const pixels = Buffer.alloc(width * height * PIXEL_BYTES);
  const row_bytes = Math.min(from.width, width) * PIXEL_BYTES;
  for (let y = 0; y < Math.min(from.height, height); y++) {
    const start = y * from.width * PIXEL_BYTES;
    from.pixels.copy(pixels, y * width * PIXEL_BYTES, start, start + row_bytes);
  }
  return { width, height, pixels };
}

/** Copies a rectangle within a picture; source and target may overlap. Both must lie inside. */
export function copyWithin(
  { width, pixels }: Picture,
  from: { x: number; y: number },
  to: { x: number; y: number; width: number; height: number },
): void {
  const rows = Array.from({ length: to.height }, (_, row) => row);
  // Downwards the last row comes first, so that none is overwritten before it is read.
  for (const row of to.y > from.y ? rows.toReversed() : rows) {
    const start = ((from.y + row) * width + from.x) * PIXEL_BYTES;
    pixels.copyWithin(((to.y + row) * width + to.x) * PIXEL_BYTES, start, start + to.width * PIXEL_BYTES);
  }
}
