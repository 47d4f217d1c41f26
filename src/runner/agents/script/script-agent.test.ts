import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { decodeOutput, RUNNER_EVENTS, type RunnerEventBody } from "../../../contract/event.ts";
import { Blobs } from "../../blobs.ts";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import { StopCause, ToolProcesses } from "../../process/tool-processes.ts";
import { runScript, type ScriptAgentOptions } from "./script-agent.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

const fence = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\`\n`;

async function runJob(prompt: string, given: Partial<ScriptAgentOptions> = {}) {
  const home = await mkdtemp(join(reaper.folder, "home-"));
  const workspace = join(home, "workspace");
  await mkdir(workspace);
  await using processes = new ToolProcesses({
    reaper_path: reaper.path,
    folder: reaper.folder,
    oomKills: async () => null,
  });
  const events: RunnerEventBody[] = [];
  const end = await runScript({
    prompt,
    workspace,
    env: { PATH: `${join(process.execPath, "..")}:${process.env.PATH}`, HOME: home, GIVEN: "by the job" },
    scratch: reaper.folder,
    processes,
    blobs: new Blobs({ folder: join(home, "blobs") }),
    signal: new AbortController().signal,
    ...given,
    async emit(body) {
      assert.ok(RUNNER_EVENTS[body.type].safeParse(body.data).success, JSON.stringify(body));
      events.push(body);
      await given.emit?.(body);
    },
  });
  const output = Buffer.concat(
    events.flatMap((event) => (event.type === "step.output" ? [decodeOutput(event.data)] : [])),
  );
  const steps = events.flatMap((event) => (event.type === "step.ended" ? [event.data] : []));
  return { end, events, output: output.toString(), steps, workspace };
}

test("with the approval policy `always` a person is asked before each step; one that is not allowed does not run", async () => {
  const asked: string[] = [];
  const { events, output, end } = await runJob(
    fence("sh", "echo one") + fence("sh continue", "echo two") + fence("sh", "echo three"),
    {
      ask: async ({ key, kind, title, detail }) => {
        asked.push(`${key} ${kind} ${title}: ${detail}`);
        return key === "2" ? "deny" : "allow";
      },
    },
  );
  assert.deepEqual(asked, [
    "1 step Run step 1 (shell): echo one: echo one\n",
    "2 step Run step 2 (shell): echo two: echo two\n",
    "3 step Run step 3 (shell): echo three: echo three\n",
  ]);
  assert.equal(output, "one\nthree\n");
  assert.equal(end.outcome, "complete");
  const denied = events.find((event) => event.type === "step.ended" && event.data.step === 2);
  assert.deepEqual(
    denied?.type === "step.ended" && [denied.data.cause, denied.data.message, denied.data.ok],
    ["not_started", "A person did not allow it.", false],
  );
});

test("the events of a job: its plan, then each step with its output", async () => {
  const { events, end } = await runJob(
    fence("sh", "\n# say it\necho hi") + fence("txt file=a/b.txt", "text"),
  );
  const [plan, started, output, ended, second, changed, written] = events;
  assert.equal(events.length, 7);
  assert.deepEqual(plan, {
    type: "plan.made",
    data: {
      steps: [
        { title: "# say it", state: "pending" },
        { title: "a/b.txt", state: "pending" },
      ],
      files: [],
      checks: [],
    },
  });
  const code = "\n# say it\necho hi\n";
  const data = { step: 1, tool: "shell", title: "# say it", code, code_blob: null };
  assert.deepEqual(started, { type: "step.started", data });
  assert.deepEqual(output?.data, { step: 1, stream: "stdout", encoding: "utf8", data: "hi\n" });
  assert.ok(ended?.type === "step.ended" && ended.data.ok && ended.data.exit_code === 0);
  assert.ok(second?.type === "step.started" && second.data.tool === "file");
  const diff = "--- /dev/null\n+++ b/a/b.txt\n@@ -0,0 +1 @@\n+text\n";
  const file = { path: "a/b.txt", change: "created", size_bytes: 5, blob: null, diff, diff_blob: null };
  assert.deepEqual(changed?.data, file);
  assert.ok(written?.type === "step.ended" && written.data.ok);
  assert.equal(end.outcome, "complete");
});

test("the working directory lasts over blocks of every tool, also when the block exits or has a trap of its own", async () => {
  const { output, end } = await runJob(
    fence("sh", "mkdir -p a/b\ncd a\nexit 0") +
      fence("sh", "trap 'true' EXIT\ncd b") +
      fence("python", "import os\nprint(os.getcwd().split('workspace')[1])") +
      fence("js", "console.log(process.cwd().split('workspace')[1])") +
      fence("sh continue", "cd ..\nexit 3") +
      fence("sh", 'echo "/$(basename $PWD)"; cd ..; rmdir a/b; rmdir a') +
      fence("sh", "pwd | grep -c 'workspace$'"),
  );
  assert.equal(end.outcome, "complete", end.summary);
  assert.equal(output, "/a/b\n/a/b\n/a\n1\n");
});

test("a failing line ends a shell block, in a pipe too, and the job with its exit code and reason", async () => {
  const { end, output, steps } = await runJob(
    fence("sh", "echo one") + fence("sh", "(exit 7) | cat\necho never") + fence("sh", "echo never"),
  );
  assert.equal(output, "one\n");
  assert.deepEqual(
    steps.map((step) => step.exit_code),
    [0, 7],
  );
  assert.equal(end.outcome, "failed");
  assert.equal(end.reason?.code, "step_failed");
  assert.equal(end.exit_code, 7);
  assert.match(end.summary, /Step 2 .*line 4 of the prompt/);
});

test("a step marked continue may fail", async () => {
  const { end, output } = await runJob(fence("sh continue", "exit 4") + fence("sh", "echo on"));
  assert.deepEqual([end.outcome, output], ["complete", "on\n"]);
  assert.match(end.summary, /1 of them failed/);
});

test("python, js and ts find the modules that lie beside them, and the environment of the job", async () => {
  const { output, end } = await runJob(
    fence("py file=mine.py", "x = 1") +
      fence("ts file=mine.ts", "export const y: number = 2;") +
      fence("python", "import mine, os\nprint(mine.x, os.environ['GIVEN'])") +
      fence(
        "ts",
        'import { y } from "./mine.ts";\nconst z: number = await Promise.resolve(y);\nconsole.log(z);',
      ) +
      fence("js", 'const { existsSync } = require("node:fs");\nconsole.log(existsSync("mine.ts"));'),
  );
  assert.equal(end.outcome, "complete", end.summary);
  assert.equal(output, "1 by the job\n2\ntrue\n");
});

test("standard input is empty", async () => {
  const { output } = await runJob(fence("sh", "cat; echo end"));
  assert.equal(output, "end\n");
});

test("a character whose bytes come apart is put together, and bytes that are no text come as they are", async () => {
  const { events, output } = await runJob(
    fence("sh", "printf 'a\\xe2\\x82'; sleep 0.1; printf '\\xac!\\n'") + fence("sh", "printf '\\xff\\xfe'"),
  );
  const pieces = events.flatMap((event) => (event.type === "step.output" ? [event.data] : []));
  assert.ok(output.startsWith("a€!\n"));
  assert.deepEqual(
    pieces.filter((piece) => piece.step === 1).map((piece) => [piece.encoding, piece.data]),
    [
      ["utf8", "a"],
      ["utf8", "€!\n"],
    ],
  );
  assert.deepEqual(
    pieces.filter((piece) => piece.step === 2).map((piece) => [piece.encoding, piece.data]),
    [["base64", "//4="]],
  );
});

test("output beyond the bound is dropped, said once, and the job goes on", async () => {
  const prompt =
    fence("sh", "head -c 300000 /dev/zero | tr '\\0' x") +
    fence("sh", "echo more") +
    fence("sh", "touch done");
  const { events, output, end } = await runJob(prompt, { output_max_bytes: 100_000 });
  assert.equal(output, "x".repeat(100_000));
  assert.equal(events.filter((event) => event.type === "limit.reached").length, 1);
  assert.equal(end.outcome, "complete");
});

test("a file that would leave the workspace through a symlink is not written", async () => {
  const outside = await mkdtemp(join(reaper.folder, "outside-"));
  const { end } = await runJob(fence("sh", `ln -s ${outside} out`) + fence("txt file=out/a/b.txt", "x"));
  assert.equal(end.reason?.code, "step_failed");
  assert.match(end.summary, /leads out of the workspace/);
  await assert.rejects(readFile(join(outside, "a/b.txt")));
});

test("long code is cut in its event and kept whole as a blob", async () => {
  const code = `# ${"é\u0001".repeat(20_000)}`;
  const { events, end } = await runJob(fence("sh", code));
  const started = events.find((event) => event.type === "step.started");
  assert.ok(started?.type === "step.started" && started.data.code_blob !== null);
  assert.ok(Buffer.byteLength(JSON.stringify(started)) < 32_000);
  assert.equal(end.outcome, "complete");
});

test("a program that is missing fails the step and is named", async () => {
  const { steps, end } = await runJob(fence("python", "print(1)"), { env: { PATH: "/nowhere" } });
  assert.equal(steps[0]?.cause, "not_started");
  assert.match(end.summary, /python3 is not in this image/);
});

test("a stopped job ends its running step and starts no other", async () => {
  const stop = new AbortController();
  const { end, steps } = await runJob(fence("sh", "echo up; sleep 100") + fence("sh", "echo never"), {
    signal: stop.signal,
    async emit(body) {
      if (body.type === "step.output") stop.abort(new StopCause("cancelled"));
    },
  });
  assert.deepEqual(
    steps.map((step) => step.cause),
    ["cancelled"],
  );
  assert.equal(end.outcome, "stopped");
});
