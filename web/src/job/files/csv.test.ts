import assert from "node:assert/strict";
import { test } from "node:test";
import { readTable, TABLE_COLUMNS_MAX, TABLE_ROWS_MAX } from "./csv.ts";

const rows = (text: string, separator = ",") => readTable(text, separator).rows;

test("fields are read with quotes, line ends in them and doubled quotes", () => {
  assert.deepEqual(rows('a,b\r\n"1,5","say ""hi""\nto me"\n'), [
    ["a", "b"],
    ["1,5", 'say "hi"\nto me'],
  ]);
  assert.deepEqual(rows("a\tb,c\n", "\t"), [["a", "b,c"]]);
});

test("empty fields, an end without a line end, and a mark of the byte order are as they should be", () => {
  assert.deepEqual(rows("\ufeffa,,\n,b,"), [
    ["a", "", ""],
    ["", "b", ""],
  ]);
  assert.deepEqual(rows(""), []);
  assert.deepEqual(rows("a\n\nb"), [["a"], [""], ["b"]]);
});

test("what is broken is shown as far as it goes", () => {
  assert.deepEqual(rows('"never closed,\nb'), [["never closed,\nb"]]);
  assert.deepEqual(rows('"closed"behind,c'), [["closedbehind", "c"]]);
});

test("large tables are cut, and say so", () => {
  const tall = readTable("x\n".repeat(TABLE_ROWS_MAX + 1), ",");
  assert.deepEqual([tall.rows.length, tall.truncated], [TABLE_ROWS_MAX, true]);
  const wide = readTable(",".repeat(TABLE_COLUMNS_MAX + 5), ",");
  assert.deepEqual(
    [wide.rows[0]?.length, wide.columns, wide.truncated],
    [TABLE_COLUMNS_MAX, TABLE_COLUMNS_MAX, true],
  );
  assert.equal(readTable("a,b\n", ",").truncated, false);
});
