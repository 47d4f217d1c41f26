import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AgentsPlace, assertComplete, call, finish, ofType, plan, shell } from "./agents.ts";
import { cli, REPOSITORY, run } from "./harness.ts";
import { text } from "./job-checks.ts";

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start();
});
after(() => place[Symbol.asyncDispose]());

const write = (path: string, content: string) => ({ answer: call("write_file", { path, content }) });
const PACKAGE = {
  name: "todo",
  private: true,
  type: "module",
  scripts: { build: "vite build" },
  dependencies: { react: "^19.0.0", "react-dom": "^19.0.0" },
  devDependencies: { vite: "^8.0.0" },
};
const PAGE = `<!doctype html><title>Todo</title><div id="root"></div><script type="module" src="/main.jsx"></script>\n`;
const APP = `import { createElement as h, useState } from "react";
import { createRoot } from "react-dom/client";

function Todo() {
  const [items, setItems] = useState([]);
  const add = (form) => setItems([...items, form.get("text")]);
  return h("form", { action: add }, h("input", { name: "text" }), items.map((item) => h("li", { key: item }, item)));
}
createRoot(document.getElementById("root")).render(h(Todo));
`;

test("examples/todo-app.md: a React app installs its packages from the registry, through the proxy, and builds", async () => {
  const prompt = await readFile(join(REPOSITORY, "examples/todo-app.md"), "utf8");
  const script = {
    turns: [
      plan([
        { title: "it is built", command: "grep -q 'type=\"module\"' dist/index.html && ls dist/assets/*.js" },
      ]),
      write("package.json", JSON.stringify(PACKAGE, undefined, 2)),
      write("index.html", PAGE),
      write("main.jsx", APP),
      {
        answer: call("shell", { command: "npm install --no-audit --no-fund --no-progress", timeout_s: 300 }),
      },
      {
        when: { result: { pattern: "added \\d+ packages" } },
        answer: shell("npm run build && rm -r node_modules"),
      },
      ...finish("The app is built in dist.", { result: { pattern: "built in", flags: "i" } }),
    ],
  };
  const { job, events, zip, printed } = await place.run("react", script, { prompt });
  assertComplete({ job });
  assert.equal(job.egress.policy, "packages");
  assert.match(printed, /added \d+ packages/);
  assert.ok([...zip.keys()].some((path) => /^dist\/assets\/.*\.js$/.test(path)));
  assert.ok(text(zip, "package-lock.json").includes("node_modules/react-dom"));
  assert.deepEqual(ofType(events, "egress.denied"), []);
});

test("a repository with a fault is sent by --dir, mended by the agent, and the change comes back by apply", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), "sealwork-agents-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, "project");
  await mkdir(folder);
  const broken = "def mean(numbers):\n    return sum(numbers) / (len(numbers) - 1)\n";
  await writeFile(join(folder, "mean.py"), broken);
  await writeFile(
    join(folder, "test_mean.py"),
    "import unittest\nfrom mean import mean\n\n\nclass Mean(unittest.TestCase):\n    def test_mean(self):\n        self.assertEqual(mean([1, 2, 3]), 2)\n",
  );
  const git = (...args: string[]) =>
    run("git", ["-c", "user.name=A", "-c", "user.email=a@example.com", ...args], { cwd: folder });
  await git("init", "-q");
  await git("add", ".");
  await git("commit", "-q", "-m", "As it was");

  const tests = "python3 -B -m unittest -q";
  // No model is named: what the environment variables configure has a default one.
  const play = place.models.play({
    turns: [
      {
        ...plan([{ title: "the tests pass", command: tests }]),
        when: { anywhere: "mean.py", choice: "update_plan" },
      },
      { answer: call("read_file", { path: "mean.py" }) },
      { when: { result: "len(numbers) - 1" }, answer: shell(tests) },
      {
        when: { result: "AssertionError" },
        answer: call("edit_file", {
          path: "mean.py",
          old_text: "(len(numbers) - 1)",
          new_text: "len(numbers)",
        }),
      },
      ...finish("mean divides by the count now.", { last: "result" }),
    ],
  });
  const env = place.orchestrator.environment;
  const out = join(parent, "zips");
  const task = "The test fails. Find the fault and mend it.";
  const ran = await cli(["run", "--dir", ".", task, "--out", out], {
    cwd: folder,
    env,
  });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  play.assertFinished();
  assert.match(ran.stdout + ran.stderr, /mean divides by the count now/);
  const applied = await cli(["apply", "last"], { cwd: folder, env });
  assert.equal(applied.code, 0, applied.stderr);
  assert.equal(
    await readFile(join(folder, "mean.py"), "utf8"),
    broken.replace("(len(numbers) - 1)", "len(numbers)"),
  );
  assert.equal(
    (await git("status", "--porcelain")).stdout,
    " M mean.py\n",
    "nothing but the fault was changed",
  );
});
