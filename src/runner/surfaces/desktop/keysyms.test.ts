import assert from "node:assert/strict";
import { test } from "node:test";
import { chordOf, isOnKeyboard, keysymName, keysymOf } from "./keysyms.ts";

test("characters are keys: those of a keyboard, of Latin-1, and all others by their number in Unicode", () => {
  const typed = ["a", "A", "~", "é", "漢", "😀", "\n", "\t"].map(keysymOf);
  assert.deepEqual(typed, [0x61, 0x41, 0x7e, 0xe9, 0x0100_6f22, 0x0101_f600, 0xff0d, 0xff09]);
  assert.deepEqual(typed.map(isOnKeyboard), [true, true, true, false, false, false, true, true]);
  assert.deepEqual(["é", "漢", "😀"].map(keysymOf).map(keysymName), ["U00e9", "U6f22", "U1f600"]);
});

test("keys are pressed together by the names that people use", () => {
  assert.deepEqual(chordOf("ctrl+shift+t"), [0xffe3, 0xffe1, 0x74]);
  assert.deepEqual(chordOf("Ctrl+L"), [0xffe3, 0x6c]);
  assert.deepEqual(chordOf("Return"), [0xff0d]);
  assert.deepEqual(chordOf("alt+F4"), [0xffe9, 0xffc1]);
  assert.deepEqual(chordOf("ctrl++"), [0xffe3, 0x2b]);
  assert.deepEqual(chordOf("+"), [0x2b]);
  assert.deepEqual(chordOf("Page_Down"), [0xff56]);
  assert.deepEqual(chordOf("G"), [0x47]);
  assert.equal(chordOf("ctrl+hyper"), 'There is no key "hyper".');
  assert.equal(chordOf("ctrl+"), 'There is no key "".');
});
