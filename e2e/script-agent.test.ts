import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { JobRequestInput } from "../src/contract/job.ts";
import { REPOSITORY, run, script, TestOrchestrator } from "./harness.ts";
import { assertManifest, assertReason, assertWhole, text } from "./job-checks.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

const block = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\``;

async function runJob(prompt: string, request: Omit<JobRequestInput, "prompt"> = {}) {
  const job_id = await orchestrator.schedule({ ...request, prompt });
  const job = await orchestrator.ended(job_id);
  const events = await orchestrator.allEvents(job_id);
  assertWhole(events);
  const steps = events.flatMap((event) => (event.type === "step.ended" ? [event.data] : []));
  return { job, steps, printed: await orchestrator.logs(job_id), zip: await orchestrator.zip(job_id) };
}

function runExample(name: string) {
  return readFile(join(REPOSITORY, "examples", name), "utf8").then(runJob);
}

test("the working directory lasts from block to block, whatever their language; exported variables need not", async () => {
  const { job, printed, zip } = await runJob(
    [
      block("sh", "mkdir -p deep/er; cd deep; export LOST=1"),
      block("python", "import os; open('by-python.txt', 'w').write('x'); print(os.getcwd())"),
      block("bash", "pwd; cd er"),
      block("js", "require('fs').writeFileSync('by-js.txt', 'x'); console.log(process.cwd())"),
      block("ts", "const here: string = process.cwd(); console.log(here)"),
      block("typescript", "import { writeFileSync } from 'node:fs';\nwriteFileSync('by-ts.txt', 'x')"),
      block("sh", "pwd; ls"),
    ].join("\n\n"),
  );
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  const at = "/home/agent/workspace/deep";
  assert.equal(printed, `${at}\n${at}\n${at}/er\n${at}/er\n${at}/er\nby-js.txt\nby-ts.txt\n`);
  for (const path of ["deep/by-python.txt", "deep/er/by-js.txt", "deep/er/by-ts.txt"])
    assert.equal(text(zip, path), "x");
});

test("a fence with file= writes that file, in folders that do not exist yet and over what is there", async () => {
  const { job, zip, printed } = await runJob(
    [
      block("json file=a/b/c/data.json", '{"ü": 1}'),
      block('text file="with space/näme.txt"', "one\ntwo"),
      block("python file=tool.py", "print('hello from a file')"),
      block("file=plain.txt", "no language"),
      block("sh", "echo old > over.txt; mkdir sub; cd sub"),
      block("txt file=over.txt", "new"),
      block("sh", "python3 ../tool.py; cat ../over.txt ../a/b/c/data.json"),
    ].join("\n\n"),
  );
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(printed, 'hello from a file\nnew\n{"ü": 1}\n');
  assert.equal(text(zip, "with space/näme.txt"), "one\ntwo\n");
  assert.equal(text(zip, "plain.txt"), "no language\n");
  assertManifest(zip);
});

test("the first failing step ends the job with its exit code in the status and in result.json", async () => {
  const { job, steps, zip, printed } = await runJob(
    script("echo kept > kept.txt", "echo to stderr >&2; exit 42", "echo never"),
  );
  assertReason(job, "step_failed");
  assert.equal(job.result?.exit_code, 42);
  assert.match(job.reason?.message ?? "", /Step 2 .*line 5 of the prompt.*exited with code 42/);
  assert.deepEqual(
    steps.map(({ exit_code }) => exit_code),
    [0, 42],
  );
  const result = JSON.parse(text(zip, ".sealwork/result.json"));
  assert.equal(result.status, "error");
  assert.equal(result.exit_code, 42);
  assert.equal(result.reason.code, "step_failed");
  assert.deepEqual(
    result.steps.map((step: { exit_code: number }) => step.exit_code),
    [0, 42],
  );
  assert.equal(text(zip, "kept.txt"), "kept\n");
  assert.equal(printed, "to stderr\n");
  assert.match(text(zip, ".sealwork/transcript.md"), /to stderr/);
});

test("a step marked `continue` may fail, and the job is complete all the same", async () => {
  const { job, printed } = await runJob(
    [block("sh continue", "exit 3"), block("python continue", "1/0"), script("echo on")].join("\n\n"),
  );
  assert.equal(job.status, "complete");
  assert.ok(printed.endsWith("on\n"), printed);
  assert.match(job.result?.summary ?? "", /2 of them failed/);
});

test("a failure of a pipe, of an unset command and of an exception each end their step", async () => {
  for (const [prompt, exit_code] of [
    [script("false | cat; echo never"), 1],
    [script("no-such-program"), 127],
    [block("python", "raise SystemExit(9)"), 9],
    [block("js", "throw new Error('x')"), 1],
    [block("ts", "await Promise.reject(new Error('x'))"), 1],
  ] as const) {
    const { job } = await runJob(prompt);
    assertReason(job, "step_failed");
    assert.equal(job.result?.exit_code, exit_code, prompt);
  }
});

test("prompts that are no script are refused with what to do, and make no job", async () => {
  const before = (await orchestrator.jobs()).length;
  for (const [prompt, says] of [
    ["Please make me a sales report.", /no fenced block.*add ```sh/],
    [block("json", "{}"), /no fenced block/],
    [block("sh file=../escape.sh", "x"), /Line 1.*outside the workspace.*relative/],
    [`text\n\n${block("txt file=/etc/passwd", "x")}`, /Line 3.*outside the workspace/],
    [block("txt file=a/../../b", "x"), /outside the workspace/],
    [block("txt file=", "x"), /names no file/],
    [script(...Array.from({ length: 1001 }, () => "true")), /step 1001/],
  ] as const) {
    const answer = await orchestrator.fetch("/schedule", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt }),
    });
    const { error } = (await answer.json()) as {
      error: { code: string; message: string; details: { loc: string[] }[] };
    };
    assert.equal(answer.status, 422, prompt.slice(0, 100));
    assert.equal(error.code, "invalid_request");
    assert.match(error.message, says);
    assert.deepEqual(error.details[0]?.loc, ["body", "prompt"]);
  }
  assert.equal((await orchestrator.jobs()).length, before);
});

test("a file= that a symlink would lead out of the workspace fails its step", async () => {
  const { job } = await runJob([script("ln -s /tmp out"), block("txt file=out/x.txt", "x")].join("\n\n"));
  assertReason(job, "step_failed");
  assert.match(job.reason?.message ?? "", /leads out of the workspace/);
});

test("examples/sales-report.md makes a report with a chart that opens", async () => {
  const { job, zip, printed } = await runExample("sales-report.md");
  assert.equal(job.status, "complete", printed);
  assert.match(text(zip, "report/report.md"), /!\[.*\]\(chart\.svg\)/);
  await assertXml(text(zip, "report/chart.svg"));
  assert.match(text(zip, "report/chart.svg"), /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  const html = text(zip, "report/report.html");
  assert.match(html, /^<!doctype html>/);
  await assertBalanced(html);
  assert.ok(html.includes("<svg") && html.includes("<table>"));
  assert.doesNotMatch(html, /(src|href)="https?:/);
  assertManifest(zip);
});

test("examples/web-app.md builds and tests a small app offline", async () => {
  const { job, zip, printed } = await runExample("web-app.md");
  assert.equal(job.status, "complete", printed);
  assert.match(printed, /pass 4/);
  assert.match(printed, /Ship it/);
  for (const name of ["server.js", "app.js", "todos.js", "index.html", "package.json", "manifest.json"])
    assert.ok(zip.has(`todo-app/dist/${name}`), name);
  await assertBalanced(text(zip, "todo-app/dist/index.html"));
});

test("examples/fails-halfway.md ends as an error, with the earlier work in its ZIP", async () => {
  const { job, zip, steps, printed } = await runExample("fails-halfway.md");
  assertReason(job, "step_failed");
  assert.equal(job.result?.exit_code, 3);
  assert.equal(steps.length, 3);
  assert.match(printed, /the report lacks: Summary, Figures/);
  assert.equal(text(zip, "report/report.md"), "# Report\n");
  assert.ok(zip.has("check.py"));
});

/** Well-formed by the rules of XML, as a browser has them for an image. */
async function assertXml(svg: string): Promise<void> {
  await inPython("import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])", svg);
}

/** Every element that must be closed is, in order. */
async function assertBalanced(html: string): Promise<void> {
  await inPython(
    `
import html.parser, sys
open_ones = []
class Check(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "link", "input", "br", "img", "hr"):
            open_ones.append(tag)
    def handle_startendtag(self, tag, attributes):
        pass
    def handle_endtag(self, tag):
        while open_ones and open_ones[-1] in ("li", "p") and open_ones[-1] != tag:
            open_ones.pop()
        assert open_ones and open_ones.pop() == tag, tag
check = Check()
check.feed(open(sys.argv[1]).read())
assert open_ones == [], open_ones
`,
    html,
  );
}

async function inPython(code: string, document: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-document-"));
  try {
    await writeFile(join(folder, "document"), document);
    await run("python3", ["-c", code, join(folder, "document")]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
