import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import yazl from "yazl";
import { AppError } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import { FakeServer, fail } from "./fake-server.fake.ts";
import { createFakeIo, type FakeIo, runFake } from "./io.fake.ts";
import { createFakeLocalServer } from "./local-server.fake.ts";
import { zipEntries } from "./zip-contents.ts";

type World = {
  server: FakeServer;
  cwd: string;
  io(more?: Partial<Parameters<typeof createFakeIo>[0]>): FakeIo;
};

async function world(t: TestContext): Promise<World> {
  const server = await FakeServer.start();
  const cwd = await mkdtemp(path.join(tmpdir(), "sealwork-test-"));
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(cwd, { recursive: true, force: true });
  });
  const io: World["io"] = (more = {}) =>
    createFakeIo({ cwd, ...more, env: { PATH: PATH_HERE, SEALWORK_URL: server.url, ...more.env } });
  return { server, cwd, io };
}

const PATH_HERE = path.dirname(execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim());

function zipOf(files: Record<string, string>): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), name);
  zip.end();
  return buffer(zip.outputStream);
}

const STEP: EventBody = {
  type: "step.started",
  data: { step: 1, tool: "shell", title: "echo hi", code: "echo hi", code_blob: null },
};
const ENDED: EventBody = {
  type: "step.ended",
  data: { step: 1, cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 1200, ok: true },
};

function output(text: string, stream: "stdout" | "stderr" = "stdout"): EventBody {
  return { type: "step.output", data: { step: 1, stream, encoding: "utf8", data: text } };
}

/** Lets the next scheduled job do this. */
function onSchedule(server: FakeServer, work: (id: string) => void): void {
  server.intercept = ({ method, path: asked }) => {
    if (method === "GET" && asked.includes("/events")) {
      server.intercept = null;
      const id = asked.split("/")[2];
      if (id !== undefined) queueMicrotask(() => work(id));
    }
    return false;
  };
}

test("run shows the steps, saves the ZIP and ends with 0; without a terminal there is no escape code", async (t) => {
  const { server, cwd, io } = await world(t);
  await writeFile(path.join(cwd, "Sales report.md"), "```sh\necho hi\n```\n");
  const zip = await zipOf({ "report.html": "<p>", ".sealwork/result.json": "{}" });
  onSchedule(server, (id) => {
    server.emit(id, STEP, output("hi\nthe \x1b]0;title\x07re\n"), ENDED);
    server.end(id, {}, zip);
  });
  const done = await runFake(io(), ["run", "Sales report.md"]);
  assert.equal(done.err(), "");
  assert.equal(done.code(), 0);
  assert.match(done.out(), /1 shell echo hi\n {2}│ hi\n {2}│ the re\n {2}✓ 1.2 s\n/);
  assert.match(done.out(), /✓ complete in 1.5 s\n/);
  assert.match(done.out(), /sales-report-a1b2c3d4\.zip.*1 file\)\n {2}report.html 3 B\n/);
  assert.doesNotMatch(done.out(), /[\x1b\r]/);
  assert.deepEqual((await readdir(cwd)).sort(), ["Sales report.md", "sales-report-a1b2c3d4.zip"]);
  const scheduled = server.received.find((request) => request.path === "/schedule");
  assert.deepEqual(JSON.parse(String(scheduled?.body)), { prompt: "```sh\necho hi\n```\n" });
  assert.match(String(scheduled?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
});

test("on a terminal the status line comes and goes, rows fit its width, and NO_COLOR leaves no colour", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  const process_io = io({ terminal: true, columns: 40, env: { NO_COLOR: "1" } });
  onSchedule(server, (id) => {
    server.emit(id, { type: "phase.changed", data: { phase: "working", status: "running" } }, STEP);
    server.emit(id, output(`${"wide ".repeat(20)}\n`), output("red \x1b[31mtext\x1b[2J without an end"));
    void process_io.saw("without an end").then(() => server.end(id, {}, zip));
  });
  await runFake(process_io, ["run", "do it"]);
  assert.equal(process_io.code(), 0);
  const shown = process_io.out();
  assert.deepEqual([...new Set(shown.match(/\x1b\[[0-9;?]*[a-zA-Z]/g))].sort(), ["\x1b[1A", "\x1b[2K"]);
  const rows = shown.split("\n").map((row) => row.replace(/\x1b\[[0-9;]*[a-zA-Z]|\r/g, ""));
  const gutters = rows.filter((row) => row.startsWith("  │ "));
  assert.ok(gutters.length >= 4 && gutters.every((row) => row.length < 40));
  assert.match(shown, /working · step 1 · 0 s/);
  assert.doesNotMatch(shown.slice(shown.indexOf("✓ complete")), /working|\x1b/);
});

test("run takes a sentence or standard input, limits, variables and labels from the command line", async (t) => {
  const { server, io } = await world(t);
  const limits = [
    "--cpus",
    "1.5",
    "--memory",
    "2g",
    "--disk",
    "512m",
    "--pids",
    "64",
    "--timeout",
    "1h30m",
    "--idle-timeout",
    "90",
  ];
  const rest = [
    "--env",
    "A=1=2",
    "--env",
    "HERE",
    "--label",
    "team=x",
    "--priority",
    "-3",
    "--template",
    "t",
    "--agent",
    "script",
    "--model",
    "m",
    "--patch",
  ];
  const done = await runFake(io({ env: { HERE: "there" }, stdin: "from stdin\n" }), [
    "run",
    "--detach",
    "-",
    ...limits,
    ...rest,
  ]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /^[0-9a-f-]{36}\n$/);
  assert.match(done.err(), /sealwork logs -f/);
  assert.deepEqual(JSON.parse(String(server.received[0]?.body)), {
    prompt: "from stdin\n",
    template: "t",
    agent: "script",
    model: "m",
    priority: -3,
    limits: {
      cpus: 1.5,
      memory_bytes: 2 * 2 ** 30,
      disk_bytes: 512 * 2 ** 20,
      pids: 64,
      timeout_s: 5400,
      idle_timeout_s: 90,
    },
    env: { A: "1=2", HERE: "there" },
    labels: { team: "x" },
    patch: true,
  });
  const sentence = await runFake(io(), ["run", "-d", "--json", "Make a report"]);
  assert.equal(JSON.parse(sentence.out()).status, "running");
});

for (const [argv, pattern] of [
  [["run", "missing.md"], /no file 'missing.md'/],
  [["run", "."], /is a folder/],
  [["run", ""], /The task is empty/],
  [["run", "x y", "--memory", "lots"], /not a size/],
  [["run", "x y", "--env", "NOT_SET_ANYWHERE"], /not set here/],
  [["run", "x y", "--file", "none"], /no file 'none'/],
  [["run", "x y", "--dir", "none"], /not a folder/],
  [["run"], /missing required argument/],
  [["frobnicate"], /unknown command/],
  [["ls", "--status", "odd"], /not a status/],
  [["status", "zz"], /not the id/],
] as const) {
  test(`a wrong command line (${argv.join(" ")}) ends with 2 and says why`, async (t) => {
    const { io, server } = await world(t);
    const done = await runFake(io(), [...argv]);
    assert.equal(done.code(), 2);
    assert.match(done.err(), pattern);
    assert.equal(server.received.length, 0);
  });
}

test("what the server finds wrong with a task is shown field by field and ends with 2", async (t) => {
  const { server, io } = await world(t);
  const details = [{ loc: ["body", "limits", "cpus"], msg: "Too big", type: "too_big" }];
  server.intercept = (_request, answer) => {
    fail(answer, new AppError({ code: "invalid_request", message: "The request is not valid.", details }));
    return true;
  };
  const done = await runFake(io(), ["run", "do it"]);
  assert.equal(done.code(), 2);
  assert.match(done.err(), /body\.limits\.cpus: Too big/);
  const as_json = await runFake(io(), ["--json", "run", "do it"]);
  assert.equal(JSON.parse(as_json.out()).error.code, "invalid_request");
});

for (const [status, code, exit] of [
  ["error", "step_failed", 1],
  ["cancelled", "cancelled_by_user", 3],
  ["error", "timed_out", 4],
  ["error", "idle_timed_out", 4],
] as const) {
  test(`a job that ended as ${status} by ${code} gives exit code ${exit}, with reason, hint and ZIP`, async (t) => {
    const { server, cwd, io } = await world(t);
    const zip = await zipOf({ "part.txt": "x" });
    onSchedule(server, (id) =>
      server.end(id, { status, reason: { code, message: "It was so.", hint: "Do this." } }, zip),
    );
    const done = await runFake(io(), ["run", "do it", "--out", "results"]);
    assert.equal(done.code(), exit);
    assert.match(done.out(), new RegExp(`${code}: It was so.\n {2}→ Do this.`));
    assert.deepEqual(await readdir(path.join(cwd, "results")), ["do-it-a1b2c3d4.zip"]);
  });
}

test("run --json prints the events as NDJSON and then the job with what was saved", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  onSchedule(server, (id) => {
    server.emit(id, STEP, ENDED);
    server.end(id, {}, zip);
  });
  const done = await runFake(io(), ["run", "do it", "--json"]);
  const lines = done
    .out()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.slice(0, 3).map((line) => line.type),
    ["step.started", "step.ended", "job.ended"],
  );
  assert.equal(lines[3].status, "complete");
  assert.equal(lines[3].saved.size_bytes, zip.length);
});

test("an event stream that breaks goes on after the last event, each shown once", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  let streams = 0;
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.includes("/events")) return false;
    streams += 1;
    const id = asked.split("/")[2] ?? "";
    if (streams === 1) {
      server.emit(id, STEP, output("first\n"));
      answer.on("pipe", () => {});
      setImmediate(() => answer.socket?.destroySoon());
      return false;
    }
    if (streams === 2) {
      server.emit(id, output("second\n"), ENDED);
      server.end(id, {}, zip);
    }
    return false;
  };
  const done = await runFake(io(), ["run", "do it"]);
  assert.equal(done.code(), 0);
  assert.equal(done.out().match(/first/g)?.length, 1);
  assert.equal(done.out().match(/second/g)?.length, 1);
  assert.match(done.err(), /connection lost/);
  assert.match(done.err(), /connected again/);
});

test("Ctrl-C once cancels the job and still saves what there is", async (t) => {
  const { server, cwd, io } = await world(t);
  const zip = await zipOf({ "part.txt": "x" });
  onSchedule(server, (id) => server.emit(id, STEP, output("working\n")));
  server.on_cancel = (id) =>
    server.end(
      id,
      { status: "cancelled", reason: { code: "cancelled_by_user", message: "Cancelled.", hint: "Retry." } },
      zip,
    );
  const process_io = io();
  const running = runFake(process_io, ["run", "do it"]);
  await process_io.saw("working");
  process_io.interrupt();
  await running;
  assert.equal(process_io.code(), 3);
  assert.match(process_io.out(), /Cancelling; Ctrl-C again quits at once/);
  assert.equal((await readdir(cwd)).length, 1);
});

test("Ctrl-C twice quits at once with 130 and says how to get the work later", async (t) => {
  const { server, cwd, io } = await world(t);
  onSchedule(server, (id) => server.emit(id, STEP, output("working\n")));
  const process_io = io();
  const running = runFake(process_io, ["run", "do it"]);
  await process_io.saw("working");
  process_io.interrupt();
  process_io.interrupt();
  await running;
  assert.equal(process_io.code(), 130);
  assert.match(process_io.err(), /sealwork download a1b2c3d4/);
  assert.deepEqual(await readdir(cwd), []);
});

test("a damaged ZIP is refused and leaves no file behind", async (t) => {
  const { server, cwd, io } = await world(t);
  const job = server.job();
  server.end(job.job_id, {}, await zipOf({ a: "1" }));
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.startsWith("/download")) return false;
    answer.setHeader("etag", `"${"0".repeat(64)}"`);
    answer.end("garbage");
    return true;
  };
  const done = await runFake(io(), ["download", "last"]);
  assert.equal(done.code(), 1);
  assert.match(done.err(), /arrived damaged/);
  assert.deepEqual(await readdir(cwd), []);
});

test("a transfer that breaks off goes on where it was", async (t) => {
  const { server, cwd, io } = await world(t);
  const job = server.job({ prompt: "# Big thing\n" });
  const zip = await zipOf({ a: "1".repeat(1000) });
  server.end(job.job_id, {}, zip);
  let broken = false;
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.startsWith("/download") || broken) return false;
    broken = true;
    answer.setHeader("content-length", zip.length);
    answer.setHeader("etag", `"once"`);
    answer.write(zip.subarray(0, 50), () => answer.socket?.end());
    return true;
  };
  const done = await runFake(io(), ["download", "a1b2c3d4", "--out", "here.zip", "--json"]);
  assert.equal(done.code(), 0);
  assert.deepEqual(await readFile(path.join(cwd, "here.zip")), zip);
  assert.ok(server.received.some((request) => request.headers.range === "bytes=50-"));
});

test("ids may be given by their end, and one that fits several jobs is refused", async (t) => {
  const { server, io } = await world(t);
  const first = server.job();
  server.job();
  const by_end = await runFake(io(), ["status", "0001a1b2c3d4", "--json"]);
  assert.equal(JSON.parse(by_end.out()).job_id, first.job_id);
  const several = await runFake(io(), ["status", "a1b2c3d4"]);
  assert.equal(several.code(), 2);
  assert.match(several.err(), /fits several jobs/);
  const none = await runFake(io(), ["status", "feed"]);
  assert.equal(none.code(), 1);
});

test("ls prints a table and gives its filters to the server", async (t) => {
  const { server, io } = await world(t);
  server.job({ prompt: "# A \x1b[31mred\x1b[0m task\nmore" });
  const done = await runFake(io(), [
    "ls",
    "--status",
    "running",
    "--label",
    "a=b",
    "--text",
    "red",
    "--limit",
    "7",
  ]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /^ID +STATUS +AGE +TOOK +TASK\na1b2c3d4 {2}▸ running .* A red task\n$/);
  assert.equal(server.received[0]?.path, "/jobs?limit=7&status=running&label=a%3Db&text=red");
});

test("logs gives exactly the bytes that were written, and on a terminal none that it obeys", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  server.emit(job.job_id, output("a\x1b[2Jb\r\nc\x1b[31mred\n\u202e"));
  server.end(job.job_id);
  const raw = await runFake(io(), ["logs", "last"]);
  assert.equal(raw.out(), "a\x1b[2Jb\r\nc\x1b[31mred\n\u202e");
  const shown = await runFake(io({ terminal: true }), ["logs", "-f", "last"]);
  assert.equal(shown.out(), "ab\nc\x1b[31mred\x1b[0m\n\x1b[31m<U+202E>\x1b[0m\n");
  const plain = await runFake(io({ terminal: true, env: { NO_COLOR: "1" } }), ["logs", "last"]);
  assert.equal(plain.out(), "ab\ncred\n<U+202E>\n");
});

test("a server that does not answer gives 5, one of a far version says what to upgrade", async (t) => {
  const { server, io } = await world(t);
  const nobody = await runFake(io({ env: { SEALWORK_URL: "http://127.0.0.1:9" } }), ["ls"]);
  assert.equal(nobody.code(), 5);
  assert.match(nobody.err(), /No server answers at http:\/\/127.0.0.1:9/);
  server.version = "9.0.0";
  const far = await runFake(io(), ["ls"]);
  assert.equal(far.code(), 1);
  assert.match(far.err(), /upgrade the client/);
  const none = createFakeLocalServer(null);
  const local = await runFake(io({ env: { SEALWORK_URL: "" } }), ["ls"], none);
  assert.equal(local.code(), 5);
  assert.deepEqual(none.calls, ["find"]);
});

test("the token of SEALWORK_TOKEN is sent, and a wrong one is explained", async (t) => {
  const { server, io } = await world(t);
  server.token = "secret";
  const wrong = await runFake(io(), ["ls"]);
  assert.equal(wrong.code(), 1);
  assert.match(wrong.err(), /SEALWORK_TOKEN/);
  const right = await runFake(io({ env: { SEALWORK_TOKEN: "secret" } }), ["ls"]);
  assert.equal(right.code(), 0);
});

test("doctor prints a line for each check and ends with 5 when one has failed", async (t) => {
  const { io } = await world(t);
  const local = createFakeLocalServer(null, [
    { name: "engine", state: "ok", message: "Docker 20.10", hint: null },
    { name: "image", state: "failed", message: "missing", hint: "sealwork setup" },
  ]);
  const done = await runFake(io({ env: { SEALWORK_URL: undefined } }), ["doctor"], local);
  assert.equal(done.code(), 5);
  assert.equal(done.out(), "✓ engine  Docker 20.10\n✗ image   missing\n          → sealwork setup\n");
});

test("doctor obeys nothing that a server puts into its checks", async (t) => {
  const { server, io } = await world(t);
  server.intercept = ({ path: asked }, answer) => {
    if (asked !== "/doctor") return false;
    const check = { name: "en\x1b[2Jgine", state: "ok", message: "fine\x1b]0;title\x07", hint: null };
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify({ ok: true, checks: [check] }));
    return true;
  };
  const done = await runFake(io(), ["doctor"]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /✓ engine {2}fine\n$/);
});

test("serve gives its options on and ends well with Ctrl-C; stop and setup reach the local server", async (t) => {
  const { io } = await world(t);
  const local = createFakeLocalServer({ url: "http://127.0.0.1:1", token: null });
  const serving = io({ env: { SEALWORK_URL: undefined } });
  const running = runFake(serving, ["serve", "--host", "::1", "--port", "0", "--no-auth"], local);
  await Promise.resolve();
  serving.interrupt();
  await running;
  assert.equal(serving.code(), 0);
  const stopped = await runFake(io({ env: { SEALWORK_URL: undefined } }), ["stop", "--json"], local);
  assert.equal(stopped.out(), '{"stopped":true,"pid":4242}\n');
  const ready = await runFake(io({ env: { SEALWORK_URL: undefined } }), ["setup"], local);
  assert.match(ready.err(), /Container engine\n {2}found one\n/);
  assert.deepEqual(local.calls, ["serve ::1 0 true", "stop", "setup"]);
});

test("--version and --help end with 0", async (t) => {
  const { io } = await world(t);
  const version = await runFake(io(), ["--version"]);
  assert.equal(version.code(), 0);
  assert.match(version.out(), /^\d+\.\d+\.\d+\n$/);
  const help = await runFake(io(), ["run", "--help"]);
  assert.equal(help.code(), 0);
  assert.match(help.out(), /--idle-timeout/);
});

test("run --dir sends what git tracks and does not ignore, as it is now, after the job itself", async (t) => {
  const { server, cwd, io } = await world(t);
  const project = path.join(cwd, "project");
  await mkdir(path.join(project, "sub"), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: project });
  git("init", "-q");
  for (const name of ["tracked.txt", "deleted.txt", "sub/in.txt", "run.sh"])
    await writeFile(path.join(project, name), "old\n");
  await writeFile(path.join(project, ".gitignore"), "ignored/\n");
  git("add", "-A");
  git("commit", "-qm", "begin");
  await writeFile(path.join(project, "tracked.txt"), "new\n");
  await rm(path.join(project, "deleted.txt"));
  await chmod(path.join(project, "run.sh"), 0o755);
  await mkdir(path.join(project, "ignored"));
  await writeFile(path.join(project, "ignored/x"), "x");
  await writeFile(path.join(project, "untracked ü.txt"), "u");
  await symlink("tracked.txt", path.join(project, "link"));
  await symlink("/etc/passwd", path.join(project, "outside"));
  await mkdir(path.join(project, "nested"));
  execFileSync("git", ["init", "-q"], { cwd: path.join(project, "nested") });

  const done = await runFake(io(), [
    "run",
    "do it",
    "--dir",
    "project",
    "--file",
    "project/tracked.txt=extra/t.txt",
    "-d",
  ]);
  assert.equal(done.code(), 0, done.err());
  assert.match(done.err(), /left out outside: a link that leaves the folder/);
  assert.match(done.err(), /left out nested: a repository of its own/);
  const parts = await partsOf(server);
  assert.deepEqual(
    parts.map((part) => [part.name, part.filename]),
    [
      ["job", null],
      ["archive", "workspace.zip"],
      ["files", "extra/t.txt"],
    ],
  );
  assert.deepEqual(JSON.parse(String(parts[0]?.body)), { prompt: "do it", patch: true });
  const entries = await unzipped(cwd, parts[1]?.body ?? Buffer.alloc(0));
  assert.deepEqual(
    Object.keys(entries).sort(),
    [".gitignore", "link", "run.sh", "sub/in.txt", "tracked.txt", "untracked ü.txt"].sort(),
  );
  assert.deepEqual(entries["tracked.txt"], { mode: 0o100644, text: "new\n" });
  assert.deepEqual(entries["run.sh"], { mode: 0o100755, text: "old\n" });
  assert.deepEqual(entries.link, { mode: 0o120777, text: "tracked.txt" });

  await runFake(io(), ["run", "do it", "--dir", "project/sub", "-d"]);
  const sub = await unzipped(cwd, (await partsOf(server))[1]?.body ?? Buffer.alloc(0));
  assert.deepEqual(Object.keys(sub), ["in.txt"]);
});

test("run --dir outside a repository leaves out what tools make", async (t) => {
  const { server, cwd, io } = await world(t);
  for (const name of [
    "node_modules/x/a.js",
    ".venv/bin/p",
    "src/__pycache__/c",
    "src/main.py",
    ".env.example",
  ]) {
    await mkdir(path.join(cwd, path.dirname(name)), { recursive: true });
    await writeFile(path.join(cwd, name), "x");
  }
  const done = await runFake(io(), ["run", "do it", "--dir", ".", "-d"]);
  assert.equal(done.code(), 0, done.err());
  const entries = await unzipped(cwd, (await partsOf(server))[1]?.body ?? Buffer.alloc(0));
  assert.deepEqual(Object.keys(entries).sort(), [".env.example", "src/main.py"]);
});

test("apply fetches the job's ZIP, merges it and prints what changed", async (t) => {
  const { server, cwd, io } = await world(t);
  const oid = "587be6b4c3f93f93c489c0111bba5596147a26cb";
  const patch = `diff --git a/new.txt b/new.txt\nnew file mode 100644\nindex ${"0".repeat(40)}..${oid}\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+x\n`;
  const job = server.job({ patch: true });
  server.end(job.job_id, {}, await zipOf({ "new.txt": "x\n", ".sealwork/changes.patch": patch }));
  const done = await runFake(io(), ["apply", "last"]);
  assert.equal(done.err(), "");
  assert.equal(done.code(), 0);
  assert.equal(done.out(), "A new.txt\n1 file changed.\n");
  assert.equal(await readFile(path.join(cwd, "new.txt"), "utf8"), "x\n");
  await writeFile(path.join(cwd, "new.txt"), "mine\n");
  const conflict = await runFake(io(), ["apply", "last"]);
  assert.equal(conflict.code(), 1);
  assert.match(conflict.out(), /C new.txt\n1 conflict, so nothing was written/);
  assert.deepEqual(await readdir(cwd), ["new.txt"]);
  const without = server.job({ patch: false });
  const refused = await runFake(io(), ["apply", without.job_id]);
  assert.equal(refused.code(), 2);
});

type SentPart = { name: string | null; filename: string | null; body: Buffer };

/** The parts of the last upload, taken apart by Node's own reader. */
async function partsOf(server: FakeServer): Promise<SentPart[]> {
  const upload = server.received.findLast((request) => request.path === "/schedule");
  const headers = { "content-type": String(upload?.headers["content-type"]) };
  const form = await new Response(new Uint8Array(upload?.body ?? []), { headers }).formData();
  const parts: SentPart[] = [];
  for (const [name, value] of form) {
    if (typeof value === "string") parts.push({ name, filename: null, body: Buffer.from(value) });
    else parts.push({ name, filename: value.name, body: Buffer.from(await value.arrayBuffer()) });
  }
  return parts;
}

async function unzipped(
  folder: string,
  zip: Buffer,
): Promise<Record<string, { mode: number; text: string }>> {
  const file = path.join(folder, "sent.zip");
  const stream = createWriteStream(file);
  await new Promise<void>((resolve) => stream.end(zip, () => resolve()));
  const entries: Record<string, { mode: number; text: string }> = {};
  for await (const entry of zipEntries(file)) {
    entries[entry.path] = { mode: entry.mode, text: (await buffer(await entry.open())).toString("utf8") };
  }
  await rm(file);
  return entries;
}
