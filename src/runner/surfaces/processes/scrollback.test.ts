import assert from "node:assert/strict";
import { test } from "node:test";
import { SCROLLBACK_MAX_BYTES } from "../../../contract/surfaces.ts";
import { Scrollback } from "./scrollback.ts";

function shown(scrollback: Scrollback, max_bytes?: number): string {
  return scrollback.replay(max_bytes).bytes.toString();
}

test("all is shown again while it is short, byte by byte as it came", () => {
  const scrollback = new Scrollback();
  const text = "gr\u00fc\u00df\u6f22\x1b[31m red\r\n";
  for (const byte of Buffer.from(text.repeat(1000))) scrollback.push(Buffer.of(byte));
  assert.equal(shown(scrollback), text.repeat(1000));
});

test("of long output the end is kept, from the beginning of a line, with the modes that were set before it", () => {
  const scrollback = new Scrollback();
  scrollback.push(Buffer.from("\x1b[?1049h\x1b[?1006h"));
  const line = `${"\u6f22".repeat(30)}\n`;
  for (let n = 0; n < 20_000; n += 1) scrollback.push(Buffer.from(`${n} ${line}`));
  const { bytes, output_bytes, modes } = scrollback.replay();
  assert.match(bytes.toString(), /^\x1b\[\?1049h\x1b\[\?1006h\d+ \u6f22/);
  assert.ok(bytes.toString().endsWith(`19999 ${line}`));
  assert.ok(output_bytes <= SCROLLBACK_MAX_BYTES && output_bytes > SCROLLBACK_MAX_BYTES - 200);
  assert.equal(modes.on_other_screen, true);
});

test("a short end begins where a line or a sequence does, else at a whole character", () => {
  const scrollback = new Scrollback();
  scrollback.push(Buffer.from("first line\nsecond\x1b[31mred\u6f22\u5b57"));
  assert.equal(shown(scrollback, 24), "second\x1b[31mred\u6f22\u5b57");
  assert.equal(shown(scrollback, 16), "\x1b[31mred\u6f22\u5b57");
  assert.equal(shown(scrollback, 5), "\u5b57");
});

test("a chunk longer than all that is kept leaves its end", () => {
  const scrollback = new Scrollback();
  scrollback.push(Buffer.from(`${"x".repeat(79)}\n`.repeat(20_000)));
  assert.equal(scrollback.replay().output_bytes, Math.floor(SCROLLBACK_MAX_BYTES / 80) * 80);
});

test("what a terminal would answer is not shown again, all else is", () => {
  const scrollback = new Scrollback();
  const questions = [
    "\x1b[c",
    "\x1b[>c",
    "\x1b[=0c",
    "\x1b[0c",
    "\x1b[6n",
    "\x1b[?6n",
    "\x1bZ",
    "\x1b[?2026$p",
    "\x1b[>0q",
    "\x1b[?u",
    "\x1b[18t",
    "\x1b]11;?\x07",
    "\x1b]4;1;?\x1b\\",
    "\x1bP$qm\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x05",
  ];
  const kept = "a\x1b[31mb\x1b[?25lc\x1b]0;title\x07d\x1b[2Je\x1b[4;1Hf";
  scrollback.push(Buffer.from(questions.join("") + kept + questions.join("")));
  assert.equal(shown(scrollback), kept);
});
