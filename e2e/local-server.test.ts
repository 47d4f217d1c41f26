import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isAlive } from "../src/bin/is-alive.ts";
import { Holder, ScheduleAnswer } from "../src/contract/api.ts";
import type { Event } from "../src/contract/event.ts";
import { Job } from "../src/contract/job.ts";
import { CliProcess, cli, removeFromEngine, script } from "./harness.ts";

/** A person's home folder in which Sealwork was never used. What a run started in the background ends with the test. */
async function home(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-home-"));
  const data = join(folder, "data");
  const env = { PATH: process.env.PATH ?? "", HOME: folder, SEALWORK_DATA: data };
  const sealwork = async (args: string[], more: Record<string, string> = {}) =>
    cli(args, { cwd: folder, env: { ...env, ...more } });
  t.after(async () => {
    await sealwork(["stop"]);
    await removeFromEngine(data);
    await rm(folder, { recursive: true, force: true });
  });
  return {
    folder,
    data,
    sealwork,
    start: (args: string[]) => new CliProcess(args, { cwd: folder, env }),
    holder: async () => Holder.parse(JSON.parse(await readFile(join(data, "holder.json"), "utf8"))),
  };
}

/** Makes sure that port 8000 is taken for the length of a test, by us or by whoever has it. */
async function takeUsualPort(t: TestContext): Promise<void> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.once("error", () => resolve());
  server.listen(8000, "127.0.0.1", () => resolve());
  await promise;
  t.after(() => server.listening && server.close());
}

test("run starts an orchestrator in the background on a port that is free, the next run finds it and schedules sooner", async (t) => {
  const { folder, sealwork, start, holder } = await home(t);
  await takeUsualPort(t);
  const reached = async (): Promise<number> => {
    const running = start(["run", "--json", script("echo hi")]);
    const { code, stdout, stderr } = await running.ended;
    assert.equal(code, 0, stderr);
    const job = Job.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
    return Date.parse(job.timings.scheduled_at) - running.started_at;
  };
  const first_ms = await reached();
  const started = await holder();
  assert.equal(started.background, true);
  assert.notEqual(new URL(started.url).port, "8000");
  assert.equal(new URL(started.url).hostname, "127.0.0.1");
  // One slow start on a busy machine says nothing: the best of three counts.
  const later_ms = [await reached(), await reached(), await reached()];
  const best_ms = Math.min(...later_ms);
  t.diagnostic(`from the command to POST /schedule: first ${first_ms} ms, then ${later_ms.join(", ")} ms`);
  assert.ok(best_ms < first_ms * 0.75, `${best_ms} ms against ${first_ms} ms`);
  assert.deepEqual(await holder(), started, "it is the same orchestrator");
  const made = (await readdir(folder)).filter((name) => name.endsWith(".zip"));
  assert.equal(made.length, 4);

  const stopped = await sealwork(["stop", "--json"]);
  assert.deepEqual(JSON.parse(stopped.stdout), { stopped: true, pid: started.pid });
  assert.equal(isAlive(started.pid), false);
  const nobody = await sealwork(["ls"]);
  assert.equal(nobody.code, 5);
  assert.match(nobody.stderr, /No server runs on this machine\.\n→ .*sealwork serve/);
  assert.deepEqual(await sealwork(["stop"]), { code: 0, stdout: "No server was running.\n", stderr: "" });
});

test("two runs at once in a new home share one orchestrator", async (t) => {
  const { start, holder, sealwork } = await home(t);
  const runs = [start(["run", script("echo one")]), start(["run", script("echo two")])];
  for (const { ended } of runs) {
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
  }
  assert.ok(isAlive((await holder()).pid));
  const { jobs } = JSON.parse((await sealwork(["ls", "--json"])).stdout);
  assert.equal(jobs.length, 2);
});

test("a run that adds a model provider restarts the orchestrator in the background, and the job at work survives", async (t) => {
  const { sealwork, start, holder } = await home(t);
  const working = start([
    "run",
    "--json",
    script("for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.5; done"),
  ]);
  await working.untilPrinted("line 1\\n");
  const before_it = await holder();
  assert.deepEqual(before_it.providers, []);
  const added = await sealwork(["run", "--agent", "script", "--detach", "--json", script("true")], {
    GEMINI_API_KEY: "key-of-a-test",
  });
  assert.equal(added.code, 0, added.stderr);
  assert.match(added.stderr, /Restarting the orchestrator/);
  const after_it = await holder();
  assert.notEqual(after_it.pid, before_it.pid);
  assert.deepEqual(after_it.providers, ["GEMINI_API_KEY"]);
  assert.equal(isAlive(before_it.pid), false);

  const { code, stdout, stderr } = await working.ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /connection lost/);
  const documents = stdout
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  const job = Job.parse(documents.pop());
  assert.equal(job.status, "complete");
  assert.ok(
    String(job.timings.ended_at) > after_it.started_at,
    "it was at work while the orchestrator restarted",
  );
  const events = documents as Event[];
  assert.deepEqual(
    events.map((event) => event.seq),
    events.map((_event, index) => index + 1),
  );
  const printed = events.map((event) => (event.type === "step.output" ? event.data.data : "")).join("");
  assert.equal(printed, [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `line ${n}\n`).join(""));

  const same = await sealwork(["run", "--agent", "script", script("true")]);
  assert.equal(same.code, 0, same.stderr);
  assert.equal((await holder()).pid, after_it.pid, "a run without the variable restarts nothing");
  const { job_id } = ScheduleAnswer.parse(JSON.parse(added.stdout));
  assert.match((await sealwork(["status", job_id])).stdout, /✓ complete/);
});

test("serve in the foreground says where it listens, and on SIGINT or SIGTERM closes everything and ends with 0", async (t) => {
  const { data, start, sealwork } = await home(t);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const serving = start(["serve", "--port", "0"]);
    await serving.untilPrinted("listens at http://127.0.0.1:");
    const running = start(["run", "--detach", script("exec sleep 300")]);
    const detached = await running.ended;
    assert.equal(detached.code, 0, detached.stderr);
    const job_id = detached.stdout.trim();
    const following = start(["logs", "-f", job_id, "--json"]);
    await following.untilPrinted("step.started");
    serving.kill(signal);
    const { code, stdout, stderr } = await serving.ended;
    assert.deepEqual([code, stdout], [0, ""], stderr);
    assert.doesNotMatch(stderr, /[\x1b\r]|Error|error/);
    assert.equal(existsSync(join(data, "sealwork.db-wal")), false, "the store is closed");
    assert.equal((await sealwork(["ls"])).code, 5);
    following.kill("SIGINT");
    const followed = await following.ended;
    assert.equal(followed.code, 130, followed.stderr);
  }
});

test("a second serve on the same state folder is refused and told who holds it", async (t) => {
  const { start, holder, sealwork } = await home(t);
  const serving = start(["serve", "--port", "0"]);
  await serving.untilPrinted("listens at http://127.0.0.1:");
  const refused = await sealwork(["serve", "--port", "0"]);
  assert.equal(refused.code, 1);
  const { pid, url } = await holder();
  assert.ok(refused.stderr.includes(String(pid)) && refused.stderr.includes(url), refused.stderr);
  serving.kill("SIGTERM");
  assert.equal((await serving.ended).code, 0);
});

test("serve without sign-in beyond loopback is refused before anything listens", async (t) => {
  const { sealwork } = await home(t);
  const refused = await sealwork(["serve", "--host", "0.0.0.0", "--port", "0", "--no-auth"]);
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /^error: .*(loopback|token)/m);
});

test("an engine that cannot be used, or a configuration that is not valid, is told with what to do, and doctor names it", async (t) => {
  const { folder, sealwork } = await home(t);
  const engine = { DOCKER_HOST: `unix://${folder}/none.sock` };
  const refused = await sealwork(["run", script("true")], engine);
  assert.deepEqual([refused.code, refused.stdout], [5, ""]);
  assert.match(refused.stderr, /error: The engine at DOCKER_HOST .*none\.sock.*\n→ .*unset DOCKER_HOST/);
  const without_engine = await sealwork(["doctor"], engine);
  assert.equal(without_engine.code, 5);
  assert.match(without_engine.stdout, /^✗ engine +.*none\.sock.*\n +→ /m);

  await writeFile(join(folder, "config.json"), '{"concurency": 3}');
  const config = { SEALWORK_CONFIG: join(folder, "config.json") };
  const broken = await sealwork(["run", script("true")], config);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /error: .*config\.json is not valid: Unrecognized key: "concurency"\n→ /);
  const doctor = await sealwork(["doctor"], config);
  assert.equal(doctor.code, 5);
  assert.match(doctor.stdout, /^✗ configuration +.*concurency/m);
  assert.match(doctor.stdout, /^✓ engine /m);
  assert.equal((await sealwork(["--help"], config)).code, 0);
});
