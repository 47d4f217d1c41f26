import assert from "node:assert/strict";
import { test } from "node:test";
import { SaidText } from "./said-text.ts";

function recorded() {
  const said: string[] = [];
  const text = new SaidText(async (one) => {
    said.push(one);
  });
  return { said, text };
}

test("pieces of one message are said as one, another message apart, and nothing but spaces not at all", async () => {
  const { said, text } = recorded();
  await text.add("Hello ", "1");
  await text.add("you.", null);
  await text.add("\nBye.\n", "2");
  await text.end();
  await text.add("  \n", "3");
  await text.end();
  assert.deepEqual(said, ["Hello you.", "Bye."]);
});

test("a long message is said in pieces that lose nothing, cut at the end of a line or between characters", async () => {
  for (const line of ["0123456789\n", "😀"]) {
    const { said, text } = recorded();
    const whole = line.repeat(6_000);
    await text.add(`.${whole}`, null);
    await text.end();
    assert(said.length > 1);
    assert.equal(said.join(""), `.${whole}`.trim());
    for (const piece of said) assert(piece.length <= 8_000 && piece.isWellFormed());
  }
});

test("the last message that had any words is the summary, once", async () => {
  const { text } = recorded();
  await text.add("First.", "1");
  await text.add("Last.", "2");
  await text.end();
  assert.equal(text.takeLast(), "Last.");
  assert.equal(text.takeLast(), "");
});
