import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseDuration,
  parseNumber,
  parseSize,
  parseWhole,
  writeDuration,
  writeSize,
} from "./typed-units.ts";
import { formatAge, formatCost, formatCount, formatDuration, formatSize, formatSpan } from "./units.ts";

test("sizes are read in powers of 1024 and written short", () => {
  assert.equal(parseSize("2g"), 2 ** 31);
  assert.equal(parseSize("1.5GiB"), 1.5 * 2 ** 30);
  assert.equal(parseSize("512 MB"), 2 ** 29);
  assert.equal(parseSize("100"), 100);
  for (const wrong of ["", "g", "-1", "2x", "1e3", "1g2"])
    assert.throws(() => parseSize(wrong), { code: "usage" });
  assert.deepEqual([0, 1023, 1024, 1500, 2 ** 31, 1.5 * 2 ** 40].map(formatSize), [
    "0 B",
    "1023 B",
    "1 KiB",
    "1.5 KiB",
    "2 GiB",
    "1.5 TiB",
  ]);
});

test("durations are read with units or as seconds and written for people", () => {
  assert.deepEqual(["90", "90s", "1h30m", "2d", "0.5m"].map(parseDuration), [90, 90, 5400, 172_800, 30]);
  for (const wrong of ["", "h", "1x", "1h30", "-1"])
    assert.throws(() => parseDuration(wrong), { code: "usage" });
  assert.deepEqual([40, 1234, 59_949, 59_999, 125_000, 3_720_000].map(formatDuration), [
    "40 ms",
    "1.2 s",
    "59.9 s",
    "1 m 00 s",
    "2 m 05 s",
    "1 h 02 m",
  ]);
  assert.deepEqual([3600, 1800, 5400, 90].map(formatSpan), ["1 h", "30 m", "1 h 30 m", "1 m 30 s"]);
  assert.deepEqual([5, 65, 90_000].map(formatAge), ["5 s", "1 m", "1 d"]);
});

test("sizes and durations are written so that they are read as the same again, and short", () => {
  const sizes = [0, 1, 1023, 1024, 1500, 3 * 2 ** 20, 1.5 * 2 ** 30, 2 ** 31, 2 ** 41];
  assert.deepEqual(sizes.map(writeSize), ["0", "1", "1023", "1k", "1500", "3m", "1536m", "2g", "2t"]);
  assert.deepEqual(sizes.map(writeSize).map(parseSize), sizes);
  const spans = [0, 0.5, 1, 90, 120, 5400, 7200, 172_800];
  assert.deepEqual(spans.map(writeDuration), ["0s", "0.5s", "1s", "90s", "2m", "90m", "2h", "2d"]);
  assert.deepEqual(spans.map(writeDuration).map(parseDuration), spans);
});

test("numbers are numbers", () => {
  assert.equal(parseNumber("1.5"), 1.5);
  assert.equal(parseWhole("-3"), -3);
  for (const wrong of ["", "x", "Infinity", "NaN"])
    assert.throws(() => parseNumber(wrong), { code: "usage" });
  assert.throws(() => parseWhole("1.5"), { code: "usage" });
});

test("counts and costs are written short, and little money is not none", () => {
  assert.deepEqual([0, 999, 1000, 12_449, 99_999, 999_499, 999_500, 1_234_567].map(formatCount), [
    "0",
    "999",
    "1k",
    "12.4k",
    "100k",
    "999k",
    "1M",
    "1.2M",
  ]);
  assert.deepEqual([0, 0.00001, 0.0042, 0.05, 0.1, 12.5].map(formatCost), [
    "$0.00",
    "under $0.0001",
    "$0.0042",
    "$0.05",
    "$0.10",
    "$12.50",
  ]);
});
