import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { CancelAnswer } from "../src/contract/api.ts";
import { PATIENCE_MS, run, script, TestOrchestrator } from "./harness.ts";
import {
  assertManifest,
  assertNothingLeft,
  assertPackingSoon,
  assertWhole,
  text,
  untilPhase,
} from "./job-checks.ts";

/** Builds for as long as it is let, and is kept out of every image that exists. */
const SLOW_IMAGE = "FROM sealwork/base\nRUN sleep 300.5\n";

const images = await mkdtemp(join(tmpdir(), "sw-slow-image-"));
await writeFile(join(images, "Dockerfile"), SLOW_IMAGE);
const orchestrator = await TestOrchestrator.start({
  config: { concurrency: 2, templates: { slow: { image: "sealwork-test/slow", build: images } } },
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
  await rm(images, { recursive: true });
});

async function cancel(job_id: string): Promise<CancelAnswer> {
  const answer = await orchestrator.fetch(`/cancel/${job_id}`, { method: "POST" });
  assert.equal(answer.status, 200);
  return CancelAnswer.parse(await answer.json());
}

async function assertCancelled(job_id: string): Promise<void> {
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "cancelled");
  assert.equal(job.reason?.code, "cancelled_by_user");
  const events = await orchestrator.allEvents(job_id);
  assertWhole(events);
  assert.equal(events.filter(({ type }) => type === "cancel.requested").length, 1);
  const requested = events.find(({ type }) => type === "cancel.requested");
  assertPackingSoon(events, Date.parse(requested?.at ?? ""));
  assertManifest(await orchestrator.zip(job_id));
  assert.deepEqual(await cancel(job_id), { job_id, status: "cancelled", cancelled: true });
  assert.equal(
    (await orchestrator.allEvents(job_id)).length,
    events.length,
    "a later cancel changes nothing",
  );
  await assertNothingLeft(orchestrator, job_id);
}

test("a job that waits in the queue is cancelled without a container", async () => {
  const busy = await Promise.all([0, 1].map(() => orchestrator.schedule({ prompt: script("sleep 1000") })));
  const queued = await orchestrator.schedule({ prompt: script("echo never") });
  for (const job_id of busy) await untilPhase(orchestrator, job_id, "working");
  assert.equal((await orchestrator.job(queued)).phase, "queued");
  assert.equal((await cancel(queued)).cancelled, true);
  await assertCancelled(queued);
  assert((await orchestrator.allEvents(queued)).every(({ type }) => type !== "sandbox.started"));
  await Promise.all(busy.map(cancel));
  await Promise.all(busy.map(assertCancelled));
});

test("a job whose image is being built is cancelled, and the build stops", async () => {
  // The engine says what it builds before it starts the container for it, and ends that a moment after the build was given up.
  await using starts = await containerStarts();
  const job_id = await orchestrator.schedule({ prompt: script("echo never"), template: "slow" });
  const building = await starts.first((command) => command.includes("sleep 300.5"));
  assert.equal((await cancel(job_id)).cancelled, true);
  await assertCancelled(job_id);
  // Rejects for one that is removed already.
  await run("docker", ["wait", building], { timeout: PATIENCE_MS }).catch(() => undefined);
  const { stdout } = await run("docker", ["ps", "-q", "--no-trunc", "--filter", `id=${building}`]);
  assert.equal(stdout, "", "nothing is built any more");
});

/** The containers that the engine starts from now on. */
async function containerStarts() {
  const since = (await run("docker", ["info", "--format", "{{.SystemTime}}"])).stdout.trim();
  const args = ["events", "--since", since, "--filter", "type=container", "--filter", "event=start"];
  const child = spawn("docker", [...args, "--format", "{{.ID}}"], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "exit");
  return {
    /** The id of the first one whose command matches. */
    async first(matches: (command: string) => boolean): Promise<string> {
      for await (const id of createInterface({ input: child.stdout })) {
        const inspect = ["inspect", "--format", "{{json .Config.Cmd}}", id];
        // Others come and go meanwhile.
        const command = await run("docker", inspect).then(
          ({ stdout }) => stdout,
          () => "",
        );
        if (matches(command)) return id;
      }
      throw new Error("the engine's events ended before the container came");
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

test("a job is cancelled at any moment of its start", async () => {
  const types = ["phase.changed", "sandbox.started", "sandbox.linked", "job.started"] as const;
  for (const wanted of types) {
    const job_id = await orchestrator.schedule({ prompt: script("sleep 1000") });
    await orchestrator.until(
      job_id,
      (event) => event.type === wanted && (event.type !== "phase.changed" || event.data.phase === "starting"),
    );
    assert.equal((await cancel(job_id)).cancelled, true);
    await assertCancelled(job_id);
  }
});

test("cancelling again, and many times at once, is one cancel", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script("echo kept > kept.txt; echo ready; sleep 1000"),
  });
  await orchestrator.untilPrinted(job_id, "ready");
  const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(job_id)));
  assert(answers.every(({ cancelled }) => cancelled));
  await assertCancelled(job_id);
  assert.equal(text(await orchestrator.zip(job_id), "kept.txt"), "kept\n");
});

test("a job that is being packed keeps the end that it has", async () => {
  const job_id = await orchestrator.schedule({ prompt: script("head -c 30M /dev/urandom > large.bin") });
  await untilPhase(orchestrator, job_id, "packing");
  assert.equal((await cancel(job_id)).cancelled, false);
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete");
  assert.deepEqual(await cancel(job_id), { job_id, status: "complete", cancelled: false });
  assertWhole(await orchestrator.allEvents(job_id));
  await assertNothingLeft(orchestrator, job_id);
});

const STUBBORN: Record<string, string> = {
  "a fork bomb": [
    // The shell of the step forks only once, before there is a bomb: a fork that is refused would end the step.
    "f() { f | f & }; f 2>/dev/null &",
    "set -- /proc/[0-9]*; while [ $# -lt 100 ]; do set -- /proc/[0-9]*; done; echo ready",
    "while true; do :; done",
  ].join("\n"),
  "a process that ignores SIGTERM": "trap '' TERM INT HUP; echo ready; while true; do sleep 1000; done",
  "a daemon that holds the pipes open": "(trap '' TERM HUP; sleep 1000) & echo ready; sleep 1000",
  "a daemon in a session of its own":
    "setsid bash -c '(setsid sleep 1000 &)'; setsid -f sleep 1000; echo ready; sleep 1000",
};
for (const [what, code] of Object.entries(STUBBORN))
  test(`${what} ends with the job that is cancelled`, async () => {
    const job_id = await orchestrator.schedule({
      prompt: script("echo kept > kept.txt", code),
      limits: { pids: 128 },
    });
    await orchestrator.untilPrinted(job_id, "ready");
    assert.equal((await cancel(job_id)).cancelled, true);
    await assertCancelled(job_id);
    assert.equal(text(await orchestrator.zip(job_id), "kept.txt"), "kept\n");
  });

test("a daemon that a step left behind delays neither the step nor the job, and is gone when the job is packed", async () => {
  const daemon =
    "setsid bash -c 'while true; do date +%N > beat.txt; sleep 0.05; done' & sleep 0.2; echo started";
  const job_id = await orchestrator.schedule({
    prompt: script(daemon, "cat beat.txt > /dev/null; echo done; echo x > x.txt"),
  });
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(await orchestrator.logs(job_id), "started\ndone\n");
  assertManifest(await orchestrator.zip(job_id));
  await assertNothingLeft(orchestrator, job_id);
});
