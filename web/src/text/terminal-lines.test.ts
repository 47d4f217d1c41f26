import assert from "node:assert/strict";
import { test } from "node:test";
import { LINE_SHOWN_CHARS } from "./terminal-line.ts";
import { terminalTail } from "./terminal-lines.ts";

const lines = (text: string) => terminalTail([{ text, stream: "stdout" }], 1_000).lines;
const shown = (text: string) => lines(text).map(({ spans }) => spans.map((span) => span.text).join(""));

test("colours last until they are taken back, over lines too", () => {
  const [first, second] = lines("\x1b[31mred\x1b[1m bold\n still\x1b[0m plain");
  assert.deepEqual(
    first?.spans.map(({ text, style }) => [text, style.foreground, style.bold]),
    [
      ["red", 1, false],
      [" bold", 1, true],
    ],
  );
  assert.deepEqual(
    second?.spans.map(({ text, style }) => [text, style.foreground]),
    [
      [" still", 1],
      [" plain", null],
    ],
  );
});

test("256 and direct colours are read with semicolons and with colons", () => {
  const colourOf = (sequence: string) => lines(`\x1b[${sequence}mx`)[0]?.spans[0]?.style.foreground;
  assert.equal(colourOf("38;5;208"), 208);
  assert.equal(colourOf("38;2;255;0;128"), "#ff0080");
  assert.equal(colourOf("38:2::255:0:128"), "#ff0080");
  assert.equal(colourOf("38:5:9"), 9);
  assert.equal(colourOf("38;5;300"), null);
  assert.equal(colourOf("38;5;1;4"), 1, "what stands behind a colour is another attribute");
});

test("a progress bar that writes over its line shows as it is at the end", () => {
  assert.deepEqual(shown("10%\r 50%\r100%\ndone"), ["100%", "done"]);
  assert.deepEqual(shown("Downloading…\r\x1b[Kready\n"), ["ready"]);
  assert.deepEqual(shown("a\r\nb\r\n"), ["a", "b"]);
  assert.deepEqual(shown("passwo\b\b\b\b\b\bsecret"), ["secret"]);
});

test("titles, links, the clipboard, device strings, moves and other screens have no effect and do not show", () => {
  const tricks = [
    "\x1b]0;owned\x07",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b]8;;https://evil.example\x1b\\",
    "\x1bPq#0;2;0;0;0\x1b\\",
    "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b[2J\x1b[1;1H\x1b[?1049h\x1b[5A\x1b[999B",
    "\x1bc\x1b(0\x1b#8",
    "\x07\0",
  ];
  assert.deepEqual(shown(`one${tricks.join("")}two`), ["onetwo"]);
});

test("a string sequence without an end is text: nothing is swallowed", () => {
  assert.deepEqual(shown("\x1b]0;never closed\nnext"), ["0;never closed", "next"]);
  const [line] = shown(`\x1b]0;${"x".repeat(10_000)}`);
  assert((line?.length ?? 0) >= LINE_SHOWN_CHARS, "what is too long for a title is text");
});

test("direction controls and invisible characters stand there by number", () => {
  assert.deepEqual(shown("user\u202e\u2066nimda"), ["user‹U+202E›‹U+2066›nimda"]);
  assert.deepEqual(shown("a\u200bb\ufeff"), ["a‹U+200B›b‹U+FEFF›"]);
});

test("a giant line is cut, and says how much is missing", () => {
  const [line] = lines("x".repeat(10_000_000));
  assert.equal(line?.spans.map(({ text }) => text).join("").length, LINE_SHOWN_CHARS);
  assert.equal(line?.left_out, 10_000_000 - 64 * 1024);
  const [moved] = lines(`\x1b[999999999C.${"\x1b[999999999C".repeat(1_000)}`);
  assert((moved?.spans.map(({ text }) => text).join("").length ?? 0) <= LINE_SHOWN_CHARS + 1);
});

test("a style of a million numbers is no style and takes no time", () => {
  const [line] = lines(`\x1b[${"1;".repeat(20_000)}1mx`);
  assert.equal(line?.spans[0]?.text, "x");
});

test("both streams are told apart within a line", () => {
  const pieces = [
    { text: "out ", stream: "stdout" },
    { text: "err\n", stream: "stderr" },
  ] as const;
  const [line] = terminalTail(pieces, 10).lines;
  assert.deepEqual(
    line?.spans.map(({ text, stream }) => [text, stream]),
    [
      ["out ", "stdout"],
      ["err", "stderr"],
    ],
  );
});

test("of a long output only the end is taken apart, in the style that what is before it leaves behind", () => {
  const text = `${"\x1b[31mred\x1b[0m\n".repeat(100)}\x1b[1m\x1b[34mblue\nstill\nlast\n`;
  const { lines, total } = terminalTail([{ text, stream: "stdout" }], 2);
  assert.equal(total, 103);
  assert.deepEqual(
    lines.map(({ spans }) => spans.map((span) => [span.text, span.style.foreground, span.style.bold])),
    [[["still", 4, true]], [["last", 4, true]]],
  );
});
