import assert from "node:assert/strict";
import { test } from "node:test";
import { oneLine, promptTitle } from "./one-line.ts";

test("a prompt is called by its first line with words, without marks of Markdown", () => {
  assert.equal(promptTitle("\n\n# Sales report\n\nTurn a table …"), "Sales report");
  assert.equal(promptTitle("> - not nested twice"), "- not nested twice");
  assert.equal(promptTitle("1. Prepare a folder."), "Prepare a folder.");
  assert.equal(promptTitle("```sh\necho hello\n```"), "echo hello");
  assert.equal(promptTitle("---\n~~~py file=a.py\nprint(1)"), "print(1)");
  assert.equal(
    promptTitle("Sort `a.csv` and **nothing** else, 2 ** 3"),
    "Sort a.csv and nothing else, 2 ** 3",
  );
  assert.equal(promptTitle("#hashtag stays"), "#hashtag stays");
  assert.equal(promptTitle("```"), "```", "of what has no words all is shown");
});

test("what could hide, turn round or break a line is made visible", () => {
  assert.equal(oneLine("a\u001b[31mred\u0007\u0000\u007f\u009b"), "a\ufffd[31mred\ufffd\ufffd\ufffd\ufffd");
  assert.equal(oneLine("\u202egnp.exe\u2066x\u200b"), "\ufffdgnp.exe\ufffdx\ufffd");
  assert.equal(oneLine(" one\r\n\ttwo\u2028three \u0085"), "one two three");
  assert.equal(oneLine("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>");
  assert.equal(oneLine("👩\u200d🔬 نمونه\u200cها"), "👩\u200d🔬 نمونه\u200cها", "what scripts need stays");
});

test("a line is bounded, and ends with whole characters", () => {
  assert.equal(oneLine("x".repeat(1_000_000), 5), "xxxx…");
  assert.equal(oneLine("😀".repeat(10), 4), "😀…");
  assert.equal(oneLine("12345", 5), "12345");
});
