import assert from "node:assert/strict";
import { test } from "node:test";
import { cut, indented, jsonText, LinePainter, plainLine, textWidth, wrapped } from "./terminal-text.ts";

test("what a terminal would obey is taken out or made visible", () => {
  assert.equal(plainLine("a\x1b[2J\x1b[1;1Hb"), "ab");
  assert.equal(plainLine("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c"), "abc");
  assert.equal(plainLine("a\x1bP1$r\x1b\\b\x1b(0c\x1bcd"), "abcd");
  assert.equal(plainLine("open \x1b]0;never closed"), "open ␛]0;never closed");
  assert.equal(plainLine("\x07\x08\x7f\x9b31m\r\n"), "␇␈␡<9b>31m␍␊");
  assert.equal(plainLine("\u202eevil\u2066\u200f\u2028"), "<U+202E>evil<U+2066><U+200F><U+2028>");
  assert.equal(plainLine("tab\there ü 日本"), "tab    here ü 日本");
});

test("nothing of any output survives as a control character", () => {
  const painter = new LinePainter(false);
  let all = "";
  for (let code = 0; code < 0x100; code += 1)
    all += `\x1b${String.fromCharCode(code)}[${String.fromCharCode(code)}x`;
  const shown = painter.paint(all.replaceAll("\n", ""), Number.POSITIVE_INFINITY).join("");
  assert.doesNotMatch(shown, /[\x00-\x1f\x7f-\x9f]/);
});

test("colours stay when they may, go on over lines, and end with each row; hidden text does not", () => {
  const painter = new LinePainter(true);
  assert.deepEqual(painter.paint("\x1b[31mred", 80), ["\x1b[31mred\x1b[0m"]);
  assert.deepEqual(painter.paint("still", 80), ["\x1b[31mstill\x1b[0m"]);
  assert.deepEqual(painter.paint("\x1b[0mplain", 80), ["\x1b[31m\x1b[0mplain\x1b[0m"]);
  assert.deepEqual(painter.paint("a\x1b[8mhidden", 80), ["ahidden"]);
  assert.deepEqual(painter.paint("\x1b[38;5;8mgrey", 80), ["\x1b[38;5;8mgrey\x1b[0m"]);
  assert.deepEqual(new LinePainter(false).paint("\x1b[31mred", 80), ["red"]);
});

test("a carriage return leaves what stands on the screen at last", () => {
  const painter = new LinePainter(false);
  assert.deepEqual(painter.paint("10%\r50%\r100%", 80), ["100%"]);
  assert.deepEqual(painter.paint("done\r", 80), ["done"]);
});

test("long lines are wrapped by their width on the terminal", () => {
  const painter = new LinePainter(false);
  assert.deepEqual(painter.paint("abcdefgh", 3), ["abc", "def", "gh"]);
  assert.deepEqual(painter.paint("日本語", 4), ["日本", "語"]);
  assert.equal(painter.peek("abcdefgh", 3), "gh");
  assert.equal(textWidth("\x1b[31m日本\x1b[0m e\u0301"), 6);
  assert.equal(cut("日本語", 5), "日本…");
  assert.equal(cut("abc", 3), "abc");
});

test("text is broken at spaces to fit, keeps its own lines and indent, and leaves long words whole", () => {
  assert.deepEqual(wrapped("one two three\n  four five", 9), ["one two", "three", "  four", "five"]);
  assert.deepEqual(wrapped("short /a/very/long/path end", 10), ["short", "/a/very/long/path", "end"]);
  assert.deepEqual(wrapped("\x1b[1mbold\x1b[22m text", 9), ["\x1b[1mbold\x1b[22m text"]);
  assert.deepEqual(wrapped("never broken at all", Number.POSITIVE_INFINITY), ["never broken at all"]);
});

test("JSON says the same without any control character that a terminal would obey", () => {
  const value = { prompt: "a\x9b31m\x7f\x1b[2Jü\u202e" };
  const text = jsonText(value);
  assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f\u202e]/);
  assert.match(text, /ü/);
  assert.deepEqual(JSON.parse(text), value);
});

test("indented text keeps to its column: a word that is too long is broken and not left to the terminal", () => {
  assert.deepEqual(indented("agent: ", `two words\n\n${"x".repeat(30)}`, 30), [
    "agent: two words",
    "",
    `       ${"x".repeat(22)}`,
    `       ${"x".repeat(8)}`,
  ]);
  assert.deepEqual(indented("\x1b[1m! \x1b[22m", "a\nb", Number.POSITIVE_INFINITY), [
    "\x1b[1m! \x1b[22ma",
    "  b",
  ]);
});
