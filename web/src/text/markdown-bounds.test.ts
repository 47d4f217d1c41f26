import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import ReactMarkdown from "react-markdown";
import remarkGfm from "remark-gfm";
import { isQuicklyLaidOut } from "./markdown-bounds.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

test("what people write is laid out", () => {
  for (const path of ["README.md", "ARCHITECTURE.md", "docs/api.md", "docs/configuration.md"])
    assert.equal(isQuicklyLaidOut(readFileSync(join(REPOSITORY, path), "utf8")), true, path);
  const changes =
    "- **parser**: [#12](https://example.org/12) `a` and `b`, by [who](https://example.org/who)\n";
  assert.equal(isQuicklyLaidOut(`# 1.0\n\n${changes.repeat(300)}`), true);
  assert.equal(isQuicklyLaidOut(`| a | b |\n|---|---|\n${"| `x` | **y** |\n".repeat(150)}`), true);
  assert.equal(isQuicklyLaidOut(`\`\`\`\n${" ".repeat(120)}aligned far to the right\n\`\`\``), true);
});

test("what would hold up the page, or overflow its stack, is not", () => {
  const hostile = {
    quotes: ">".repeat(4_096),
    "quotes by line": `${"> ".repeat(30)}a\n`.repeat(20),
    "lists in one line": `${"- ".repeat(200)}a`,
    "lists by indentation": Array.from({ length: 60 }, (_, level) => `${" ".repeat(level * 2)}- a`).join(
      "\n",
    ),
    "lists in lists in lists": `${"- ".repeat(10)}a\n`.repeat(1_000),
    "nested emphasis": `${"*".repeat(3_000)}a${"*".repeat(3_000)}`,
    "brackets that never close": "[".repeat(5_000),
    "nested brackets": "[".repeat(2_000) + "]".repeat(2_000),
    "pictures in pictures": "![".repeat(1_500) + "](a)".repeat(1_500),
    "emphasis over lines that only look like items": "    - *a _b\n".repeat(1_000),
    "a wide table": `${"|a".repeat(4_000)}|\n${"|-".repeat(4_000)}|`,
    "very many links": "www.a.b ".repeat(4_000),
    "very many lines": "a\n-\n".repeat(5_000),
    "a long text": "a ".repeat(40_000),
  };
  for (const [name, text] of Object.entries(hostile)) assert.equal(isQuicklyLaidOut(text), false, name);
});

test("at the bounds the parser and the page still cope", () => {
  const most = (make: (count: number) => string): string => {
    let [fits, too_many] = [1, 4_000];
    while (too_many - fits > 1) {
      const middle = (fits + too_many) >> 1;
      if (isQuicklyLaidOut(make(middle))) fits = middle;
      else too_many = middle;
    }
    return make(fits);
  };
  for (const make of [
    (count: number) => `${">".repeat(count)} a`,
    (count: number) => `${"*".repeat(count)}a${"*".repeat(count)}`,
    (count: number) => "![".repeat(count) + "](a)".repeat(count),
  ]) {
    const text = most(make);
    assert.ok(text.length > 20, "there is something to lay out");
    const page = createElement(ReactMarkdown, { remarkPlugins: [remarkGfm], skipHtml: true }, text);
    assert.ok(renderToStaticMarkup(page).length > 0);
  }
});
