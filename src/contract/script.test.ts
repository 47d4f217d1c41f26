import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "./errors.ts";
import { parseScript, STEPS_MAX } from "./script.ts";

const fence = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\`\n`;
const refused = (text: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === "invalid_request" && text.test(error.message);

test("fences of the four tools are steps, in order, with their line", () => {
  const prompt = `# Task\n\n${fence("sh", "ls")}text\n${fence("Python", "print(1)")}${fence("js", "1")}${fence("typescript", "2")}`;
  assert.deepEqual(
    parseScript(prompt).map(({ tool, code, line }) => ({ tool, code, line })),
    [
      { tool: "shell", code: "ls\n", line: 3 },
      { tool: "python", code: "print(1)\n", line: 7 },
      { tool: "js", code: "1\n", line: 10 },
      { tool: "ts", code: "2\n", line: 13 },
    ],
  );
});

test("text, indented code, inline code and fences of other languages are no steps", () => {
  const prompt = `do \`ls\`\n\n    sh -c ls\n\n${fence("json", "{}")}${fence("", "ls")}${fence("zsh", "ls")}${fence("console", "$ ls")}`;
  assert.deepEqual(parseScript(prompt), []);
});

test("fences in lists and quotes are steps, in the order of the text, without their indentation", () => {
  const prompt = `1. first\n\n   ${"```"}sh\n   echo 1\n   ${"```"}\n\n> ${"```"}sh\n> echo 2\n> ${"```"}\n\n${fence("sh", "echo 3")}`;
  assert.deepEqual(
    parseScript(prompt).map((step) => step.code),
    ["echo 1\n", "echo 2\n", "echo 3\n"],
  );
});

test("a tilde fence holds a backtick fence as its content", () => {
  const [step, ...others] = parseScript(`~~~md file=a.md\n${fence("sh", "ls")}~~~\n`);
  assert.deepEqual(others, []);
  assert.equal(step?.code, fence("sh", "ls"));
});

test("file= writes a file whatever the language, in quotes too, and its path is normalized", () => {
  const steps = parseScript(
    fence("python file=src/./a.py", "x") + fence('file="my file.txt"', "y") + fence("json file=a/../b", ""),
  );
  assert.deepEqual(
    steps.map((step) => [step.tool, step.tool === "file" ? step.path : null, step.code]),
    [
      ["file", "src/a.py", "x\n"],
      ["file", "my file.txt", "y\n"],
      ["file", "b", ""],
    ],
  );
});

test("`continue` lets a step fail", () => {
  const steps = parseScript(fence("sh continue", "false") + fence("sh", "true"));
  assert.deepEqual(
    steps.map((step) => step.continue_on_failure),
    [true, false],
  );
});

for (const path of ["../a", "/etc/passwd", "a/../../b", "", "a/", "."]) {
  test(`file=${path} is refused with its line`, () => {
    assert.throws(
      () => parseScript(`text\n\n${fence(`sh file=${path}`, "x")}`),
      refused(/^Line 3 of the prompt/),
    );
  });
}

test("more steps than a job may have are refused", () => {
  assert.equal(parseScript(fence("sh", "ls").repeat(STEPS_MAX)).length, STEPS_MAX);
  assert.throws(() => parseScript(fence("sh", "ls").repeat(STEPS_MAX + 1)), refused(/step 1001/));
});

test("a prompt made to take long is parsed or refused within seconds", () => {
  for (const evil of ["[".repeat(100_000), ">".repeat(100_000), "- ".repeat(50_000), "*a ".repeat(30_000)]) {
    const begun = performance.now();
    try {
      parseScript(evil);
    } catch (error) {
      assert.ok(refused(/nested/)(error));
    }
    assert.ok(performance.now() - begun < 5000, JSON.stringify(evil.slice(0, 5)));
  }
});

test("a desktop fence has an action a line; empty lines and comments are none, and its files stay in the workspace", () => {
  const [step] = parseScript(
    `text\n\n${fence("desktop continue", "# look\n\nscreenshot a/../b.png\n  click 1 2")}`,
  );
  assert.ok(step?.tool === "desktop" && step.continue_on_failure);
  assert.deepEqual(step.actions, [
    { line: 6, action: { action: "screenshot", file: "b.png" } },
    { line: 7, action: { action: "click", x: 1, y: 2, button: "left" } },
  ]);
  assert.throws(
    () => parseScript(fence("desktop", "windows\nclick 1")),
    refused(/Line 3 of the prompt: it should read/),
  );
  assert.throws(
    () => parseScript(fence("desktop", "screenshot ../x.png")),
    refused(/Line 2 .* outside the workspace/),
  );
  assert.throws(
    () => parseScript(fence("desktop", "windows\n".repeat(1001))),
    refused(/at most 1000 actions/),
  );
  const [file] = parseScript(fence("desktop file=list.txt", "clack"));
  assert.equal(file?.tool, "file");
});
