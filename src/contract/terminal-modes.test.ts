import assert from "node:assert/strict";
import { test } from "node:test";
import { TerminalModes } from "./terminal-modes.ts";

function after(...chunks: string[]): TerminalModes {
  const modes = new TerminalModes();
  for (const chunk of chunks) modes.see(Buffer.from(chunk, "latin1"));
  return modes;
}

test("modes that are not as in a fresh terminal are known, however the output is cut, and can be brought about and undone", () => {
  const output = "text\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1b[31mred\x1b[?2004h\x1b[?2004l\x1b[?9999h";
  for (let cut = 0; cut <= output.length; cut += 1) {
    const modes = after(output.slice(0, cut), output.slice(cut));
    assert.equal(modes.restore(), "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h", `cut at ${cut}`);
    assert.equal(modes.undo(), "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1006l");
  }
  assert.equal(after(...output).on_other_screen, true, "one byte at a time");
});

test("a copy goes its own way, and a full reset makes a terminal fresh", () => {
  const modes = after("\x1b[?1049h");
  const copy = modes.copy();
  copy.see(Buffer.from("\x1bc"));
  assert.deepEqual([modes.on_other_screen, copy.on_other_screen, copy.undo()], [true, false, ""]);
});

test("what never becomes a sequence is not kept", () => {
  const modes = after(`\x1b[?${"1;".repeat(100)}`, "049h");
  assert.equal(modes.restore(), "");
});
