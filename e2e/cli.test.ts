import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { JobsAnswer, ScheduleAnswer } from "../src/contract/api.ts";
import { Job } from "../src/contract/job.ts";
import { CliProcess, type CliResult, cli, readZip, script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

/** An empty folder to stand in, and the client in it. What it prints here, where no terminal is, never holds an escape code. */
async function desk(t: TestContext) {
  const cwd = await mkdtemp(join(tmpdir(), "sealwork-desk-"));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const options = (more: { env?: Record<string, string>; input?: string } = {}) => ({
    cwd,
    ...more,
    env: { ...orchestrator.environment, ...more.env },
  });
  const plain = (result: CliResult): CliResult => {
    assert.doesNotMatch(result.stdout + result.stderr, /[\x1b\r]/);
    return result;
  };
  return {
    cwd,
    sealwork: async (args: string[], more: Parameters<typeof options>[0] = {}) =>
      plain(await cli(args, options(more))),
    start: (args: string[]) => new CliProcess(args, options()),
    zips: async () => (await readdir(cwd)).filter((name) => name.endsWith(".zip")),
  };
}

function lastOf(jobs: Job[]): Job {
  const [job] = jobs;
  assert(job !== undefined, "there is a job");
  return job;
}

/** Its title has the word too, so what a test waits for in `run` is the output behind its gutter. */
const SLEEPS = script("echo ready; exec sleep 300");

test("run takes a file, shows steps and output, names the ZIP after the file and ends with 0", async (t) => {
  const { cwd, sealwork, zips } = await desk(t);
  await writeFile(
    join(cwd, "My task.md"),
    `# Hello\n\n${script("echo hello > hello.txt; cat hello.txt; echo oops >&2")}`,
  );
  const done = await sealwork(["run", "My task.md"]);
  assert.deepEqual([done.code, done.stderr], [0, ""]);
  assert.match(done.stdout, /^my-task [0-9a-f-]{36}\n/);
  assert.match(done.stdout, /^1\/1 shell echo hello.*\n( {2}│ (hello|oops)\n){2} {2}✓ /m);
  assert.match(done.stdout, /^✓ complete in /m);
  const [name, ...others] = await zips();
  assert.match(String(name), /^my-task-[0-9a-f]{8}\.zip$/);
  assert.deepEqual(others, []);
  const files = await readZip(await readFile(join(cwd, String(name))));
  assert.equal(files.get("hello.txt")?.content.toString(), "hello\n");
});

test("run takes standard input, and --out names a folder or the ZIP itself", async (t) => {
  const { cwd, sealwork } = await desk(t);
  const input = script("echo piped > a.txt");
  const to_file = await sealwork(["run", "-", "--out", "made/result.zip"], { input });
  assert.equal(to_file.code, 0, to_file.stderr);
  const files = await readZip(await readFile(join(cwd, "made/result.zip")));
  assert.equal(files.get("a.txt")?.content.toString(), "piped\n");
  const to_folder = await sealwork(["run", "-", "--out", "folder"], { input });
  assert.equal(to_folder.code, 0, to_folder.stderr);
  assert.equal((await readdir(join(cwd, "folder"))).length, 1);
  const empty = await sealwork(["run", "-"], { input: "" });
  assert.deepEqual([empty.code, empty.stdout], [2, ""]);
  assert.match(empty.stderr, /^error: Standard input is empty/);
});

test("a sentence without blocks is refused with 2 and what to do, and makes no job", async (t) => {
  const { sealwork, zips } = await desk(t);
  const before_it = (await orchestrator.jobs()).length;
  const refused = await sealwork(["run", "draw me a sheep"]);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /^error: .*block/);
  assert.match(refused.stderr, /model/);
  const as_json = await sealwork(["run", "--json", "draw me a sheep"]);
  assert.equal(as_json.code, 2);
  assert.equal(JSON.parse(as_json.stdout).error.code, "invalid_request");
  assert.equal((await orchestrator.jobs()).length, before_it);
  assert.deepEqual(await zips(), []);
});

test("--detach prints the id alone; status, logs -f and download take it, its beginning, its end and 'last'", async (t) => {
  const { cwd, sealwork } = await desk(t);
  const prompt = script("echo first; sleep 1; echo second >&2; echo made > made.txt");
  const detached = await sealwork(["run", "--detach", prompt]);
  assert.equal(detached.code, 0);
  const id = detached.stdout.trim();
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.match(detached.stderr, new RegExp(`watch ${id.slice(-8)}`));
  const followed = await sealwork(["logs", "-f", "last"]);
  assert.deepEqual([followed.code, followed.stdout], [0, "first\nsecond\n"]);
  for (const name of [id, id.slice(0, 23), id.slice(-6), id.toUpperCase(), "last"]) {
    const shown = await sealwork(["status", name]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.ok(shown.stdout.includes(id), `${name} is this job`);
  }
  assert.equal((await sealwork(["logs", "last", "--stream", "stderr"])).stdout, "second\n");
  assert.equal((await sealwork(["logs", "last", "--step", "1"])).stdout, "first\nsecond\n");
  const saved = await sealwork(["download", id.slice(-8), "--out", "it.zip"]);
  assert.equal(saved.code, 0, saved.stderr);
  const files = await readZip(await readFile(join(cwd, "it.zip")));
  assert.equal(files.get("made.txt")?.content.toString(), "made\n");
  const unknown = await sealwork(["status", "fffffffff"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /sealwork ls/);
  assert.equal((await sealwork(["status", "no-such-word"])).code, 2);
});

test("a beginning that several jobs share is refused and names them", async (t) => {
  const { sealwork } = await desk(t);
  const ids = [
    await orchestrator.schedule({ prompt: script("true") }),
    await orchestrator.schedule({ prompt: script("true") }),
  ];
  const refused = await sealwork(["status", ids[0]?.slice(0, 4) ?? ""]);
  assert.equal(refused.code, 2);
  for (const id of ids) assert.ok(refused.stderr.includes(id));
});

test("the exit code tells how it ended: 0 complete, 1 error, 2 usage, 3 cancelled, 4 timed out, 5 unreachable", async (t) => {
  const { sealwork, start, zips } = await desk(t);
  assert.equal((await sealwork(["run", script("true")])).code, 0);

  const failed = await sealwork(["run", script("exit 7")]);
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /✗ exit code 7/);
  assert.match(failed.stdout, /step_failed: .*\n {2}→ /);

  for (const args of [
    ["run"],
    ["run", "--colour", "x"],
    ["fly"],
    ["run", "missing.md"],
    ["run", "--memory", "lots", script("true")],
    ["run", "--memory", "900t", script("true")],
    ["run", "--template", "no-such", script("true")],
    ["ls", "--status", "asleep"],
  ]) {
    const wrong = await sealwork(args);
    assert.equal(wrong.code, 2, `${args.join(" ")}: ${wrong.stderr}`);
    assert.match(wrong.stderr, /^error: /);
  }

  const cancelled = start(["run", SLEEPS]);
  await cancelled.untilPrinted("│ ready");
  assert.equal((await sealwork(["cancel", "last"])).code, 0);
  assert.equal((await cancelled.ended).code, 3);
  const again = await sealwork(["cancel", "last"]);
  assert.deepEqual([again.code, /cancelled/.test(again.stdout)], [0, true]);

  const timed_out = await sealwork(["run", "--timeout", "1s", SLEEPS]);
  assert.equal(timed_out.code, 4);
  assert.match(timed_out.stdout, /timed_out: /);

  const nowhere = { env: { SEALWORK_URL: "http://127.0.0.1:1" } };
  const unreachable = await sealwork(["ls"], nowhere);
  assert.equal(unreachable.code, 5);
  assert.match(unreachable.stderr, /^error: .*127\.0\.0\.1:1/);
  assert.equal((await zips()).length, 4, "each job that ended left its ZIP");
});

test("Ctrl-C once cancels the job and still fetches what there is", async (t) => {
  const { cwd, start, zips } = await desk(t);
  const running = start(["run", script("echo half > half.txt; echo ready; exec sleep 300")]);
  await running.untilPrinted("│ ready");
  running.kill("SIGINT");
  const { code, stdout } = await running.ended;
  assert.equal(code, 3);
  assert.match(stdout, /Cancelling; Ctrl-C again quits at once\./);
  assert.match(stdout, /^■ cancelled in /m);
  const [name] = await zips();
  const files = await readZip(await readFile(join(cwd, String(name))));
  assert.equal(files.get("half.txt")?.content.toString(), "half\n");
});

test("Ctrl-C twice quits at once, even when the server hangs, and says how to get the work later", async (t) => {
  const { sealwork, start, zips } = await desk(t);
  const running = start(["run", SLEEPS]);
  await running.untilPrinted("│ ready");
  process.kill(orchestrator.pid, "SIGSTOP");
  let ended: CliResult;
  try {
    running.kill("SIGINT");
    await running.untilPrinted("Cancelling");
    running.kill("SIGINT");
    ended = await running.ended;
  } finally {
    process.kill(orchestrator.pid, "SIGCONT");
  }
  assert.equal(ended.code, 130);
  const { job_id } = lastOf(await orchestrator.jobs());
  assert.match(ended.stderr, new RegExp(`sealwork download ${job_id.slice(-8)}`));
  assert.deepEqual(await zips(), []);
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  assert.equal((await sealwork(["download", job_id.slice(-8)])).code, 0);
  assert.equal((await zips()).length, 1);
});

test("Ctrl-C while logs are followed leaves the job running", async (t) => {
  const { start } = await desk(t);
  const job_id = await orchestrator.schedule({ prompt: SLEEPS });
  const following = start(["logs", "-f", job_id]);
  await following.untilPrinted("ready");
  following.kill("SIGINT");
  assert.equal((await following.ended).code, 130);
  assert.equal((await orchestrator.job(job_id)).status, "running");
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
});

test("--json prints one JSON document a line in every command, errors included", async (t) => {
  const { sealwork } = await desk(t);
  const parsed = async (args: string[], code = 0): Promise<unknown[]> => {
    const result = await sealwork([...args, "--json"]);
    assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line): unknown => JSON.parse(line));
  };
  const ran = await parsed(["run", script("echo hi; exit 3")], 1);
  const seqs = ran.slice(0, -1).map((event) => (event as { seq: number }).seq);
  assert.deepEqual(
    seqs,
    seqs.map((_seq, index) => index + 1),
  );
  const job = Job.parse(ran.at(-1));
  assert.equal(job.reason?.code, "step_failed");
  assert.match((ran.at(-1) as { saved: { path: string } }).saved.path, /\.zip$/);

  assert.equal(ScheduleAnswer.parse((await parsed(["run", "-d", script("true")]))[0]).status, "pending");
  const [listed] = await parsed(["ls"]);
  assert.ok(JobsAnswer.parse(listed).jobs.some((one) => one.job_id === job.job_id));
  assert.equal(Job.parse((await parsed(["status", job.job_id]))[0]).job_id, job.job_id);
  const logged = await parsed(["logs", job.job_id]);
  assert.ok(logged.slice(0, -1).every((event) => (event as { type: string }).type.startsWith("step.")));
  assert.deepEqual(await parsed(["cancel", job.job_id]), [
    { job_id: job.job_id, status: "error", cancelled: false },
  ]);
  const [saved] = await parsed(["download", job.job_id]);
  assert.equal((saved as { job_id: string }).job_id, job.job_id);
  const [checked] = await parsed(["doctor"]);
  assert.equal((checked as { ok: boolean }).ok, true);
  const [missing] = await parsed(["status", "00000000-0000-4000-8000-000000000000"], 1);
  assert.equal((missing as { error: { code: string } }).error.code, "not_found");
  const [unapplied] = await parsed(["apply", job.job_id], 2);
  assert.equal((unapplied as { error: { code: string } }).error.code, "usage");
});

test("ls shows the newest first and filters by status, label and text", async (t) => {
  const { sealwork } = await desk(t);
  const word = "Zanzibar";
  for (const [code, team] of [
    ["0", "red"],
    ["1", "blue"],
  ])
    await sealwork([
      "run",
      "--label",
      `team=${team}`,
      "--label",
      "atlas",
      `# ${word} ${team}\n\n${script(`exit ${code}`)}`,
    ]);
  const titles = async (...filters: string[]) => {
    const listed = await sealwork(["ls", ...filters]);
    assert.equal(listed.code, 0, listed.stderr);
    return listed.stdout
      .trimEnd()
      .split("\n")
      .map((line) => / (Zanzibar \w+)$/.exec(line)?.[1])
      .filter((title) => title !== undefined);
  };
  assert.deepEqual(await titles("--text", word), ["Zanzibar blue", "Zanzibar red"]);
  assert.deepEqual(await titles("--label", "atlas", "--limit", "1"), ["Zanzibar blue"]);
  assert.deepEqual(await titles("--label", "team=red"), ["Zanzibar red"]);
  assert.deepEqual(await titles("--label", "atlas", "--status", "error"), ["Zanzibar blue"]);
  assert.equal((await sealwork(["ls", "--text", "nowhere to be found"])).stdout, "No jobs.\n");
});

test("limits, files and variables of the command line reach the job", async (t) => {
  const { cwd, sealwork } = await desk(t);
  await writeFile(join(cwd, "numbers.txt"), "1 2 3\n");
  const done = await sealwork(
    [
      "run",
      "--file",
      "numbers.txt=data/in.txt",
      "--env",
      "COLOUR=green",
      "--env",
      "MINE",
      "--cpus",
      "1",
      "--memory",
      "256m",
      "--timeout",
      "2m",
      script('cat data/in.txt; echo "$COLOUR $MINE"'),
    ],
    { env: { MINE: "here" } },
  );
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, / {2}│ 1 2 3\n {2}│ green here\n/);
  const job = lastOf(await orchestrator.jobs());
  assert.deepEqual([job.limits.cpus, job.limits.memory_bytes, job.limits.timeout_s], [1, 256 * 2 ** 20, 120]);
});

test("a reader of the output that goes away is no failure", async (t) => {
  const { cwd } = await desk(t);
  const prompt = script("seq 100000");
  const program = join(import.meta.dirname, "../src/bin/sealwork.ts");
  const child = spawn(
    "bash",
    ["-c", 'set -o pipefail; "$0" "$1" run "$2" | head -n 2 >/dev/null', process.execPath, program, prompt],
    { cwd, env: orchestrator.environment, stdio: "ignore" },
  );
  assert.deepEqual(await once(child, "close"), [0, null]);
});
