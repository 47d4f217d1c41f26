import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { copyWithin, type Picture, resized } from "./framebuffer.ts";
import { pngOf } from "./png.ts";
import { scaled, scaleToFit } from "./scale.ts";

/** A picture from one number a pixel, which becomes its red; green is twice as much, blue the same for all. */
function picture(rows: number[][]): Picture {
  const pixels = Buffer.from(rows.flat().flatMap((red) => [red, red * 2, 7, 99]));
  return { width: rows[0]?.length ?? 0, height: rows.length, pixels };
}

function reds({ width, height, pixels }: Picture): number[][] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => pixels[(y * width + x) * 4] ?? -1),
  );
}

test("a PNG holds the picture, row by row, as the differences to the row above", async () => {
  const png = await pngOf(
    picture([
      [1, 2, 3],
      [5, 2, 1],
    ]),
  );
  assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  assert.equal(png.toString("latin1", 12, 16), "IHDR");
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]], [3, 2, 8, 2]);
  // The check sum of an empty IEND, as every PNG ends.
  assert.equal(png.subarray(-4).toString("hex"), "ae426082");
  const data = png.indexOf("IDAT");
  const rows = inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)));
  assert.deepEqual([...rows], [0, 1, 2, 7, 2, 4, 7, 3, 6, 7, 2, 4, 8, 0, 0, 0, 0, 254, 252, 0]);
});

test("a picture made smaller has the average of what each pixel stands for", () => {
  const from = picture([
    [0, 40, 80, 80],
    [40, 40, 80, 120],
  ]);
  assert.deepEqual(reds(scaled(from, 0.5)), [[30, 90]]);
  assert.deepEqual(scaled(from, 0.5).pixels.subarray(0, 3).toString("hex"), "1e3c07");
  assert.deepEqual(reds(scaled(picture([[0, 30, 60]]), 2 / 3)), [[10, 50]]);
  assert.equal(scaled(from, 1), from);
  assert.equal(scaleToFit({ width: 2560, height: 1000 }, { width: 1280, height: 800 }), 0.5);
  assert.equal(scaleToFit({ width: 100, height: 100 }, { width: 1280, height: 800 }), 1);
});

test("a rectangle is copied within a picture in whatever direction, also onto itself", () => {
  const numbers = [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ];
  const down = picture(numbers);
  copyWithin(down, { x: 0, y: 0 }, { x: 1, y: 1, width: 2, height: 2 });
  assert.deepEqual(reds(down), [
    [1, 2, 3],
    [4, 1, 2],
    [7, 4, 5],
  ]);
  const up = picture(numbers);
  copyWithin(up, { x: 1, y: 1 }, { x: 0, y: 0, width: 2, height: 2 });
  assert.deepEqual(reds(up), [
    [5, 6, 3],
    [8, 9, 6],
    [7, 8, 9],
  ]);
});

test("a screen of another size keeps what it has in common with the old one", () => {
  const old = picture([
    [1, 2],
    [3, 4],
  ]);
  assert.deepEqual(reds(resized(old, 3, 1)), [[1, 2, 0]]);
  assert.deepEqual(reds(resized(old, 1, 3)), [[1], [3], [0]]);
});
