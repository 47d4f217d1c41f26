import { promisify } from "node:util";
import { crc32, deflate } from "node:zlib";
import { PIXEL_BYTES, type Picture } from "./framebuffer.ts";

const compressed = promisify(deflate);
/** The best that zlib does in the time that a screenshot may take (about 20 ms for 1280×800, on a thread of its own). */
const LEVEL = 6;
const SIGNATURE = Buffer.from("\u0089PNG\r\n\u001a\n", "latin1");
/** Filter types of PNG (W3C PNG 9.2): each byte as it is, or as its difference to the one above. */
const FILTER_NONE = 0;
const FILTER_UP = 2;
const RGB_BYTES = 3;

/** A picture as PNG: 8-bit RGB. `picture` may change as soon as this has returned its promise. */
export async function pngOf(picture: Picture): Promise<Buffer> {
  const { width, height } = picture;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = await compressed(filtered(picture), { level: LEVEL });
  return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", NOTHING)]);
}

const NOTHING = Buffer.alloc(0);

/** Rows of RGB as differences to the row above: gradients and what repeats downwards become small. */
function filtered({ width, height, pixels }: Picture): Buffer {
  const rows = Buffer.allocUnsafe(height * (1 + width * RGB_BYTES));
  const above = width * PIXEL_BYTES;
  let at = 0;
  let from = 0;
  for (let y = 0; y < height; y++) {
    rows[at++] = y === 0 ? FILTER_NONE : FILTER_UP;
    for (let x = 0; x < width; x++, from += PIXEL_BYTES) {
      for (let colour = 0; colour < RGB_BYTES; colour++) {
        const up = y === 0 ? 0 : (pixels[from + colour - above] ?? 0);
        rows[at++] = (pixels[from + colour] ?? 0) - up;
      }
    }
  }
  return rows;
}

function chunk(type: string, content: Buffer): Buffer {
  const whole = Buffer.alloc(12 + content.length);
  whole.writeUInt32BE(content.length, 0);
  whole.write(type, 4, "latin1");
  content.copy(whole, 8);
  whole.writeUInt32BE(crc32(whole.subarray(4, 8 + content.length)), 8 + content.length);
  return whole;
}
