import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Event } from "../src/contract/event.ts";
import { run, script, TestOrchestrator } from "./harness.ts";
import {
  assertManifest,
  assertNothingLeft,
  assertReason,
  assertWhole,
  container,
  text,
  untilPhase,
} from "./job-checks.ts";

const TICKS = 60;
/** Takes some seconds, and says so all the time. */
const TICKING = `for i in $(seq ${TICKS}); do echo tick $i; sleep 0.1; done; touch ticked`;
const TICKED = Array.from({ length: TICKS }, (_, index) => `tick ${index + 1}\n`).join("");

const orchestrator = await TestOrchestrator.start();
after(() => orchestrator[Symbol.asyncDispose]());

/** Ends the orchestrator as the kernel would, without a chance to say or store anything. */
async function killed(): Promise<void> {
  await orchestrator.stop("SIGKILL");
}

/** Waits until a file is there in a running container, which nobody but the engine can tell while the orchestrator is away. */
async function untilFile(id: string, path: string): Promise<void> {
  const wait = `for i in $(seq 600); do [ -e ${path} ] && exit 0; sleep 0.1; done; exit 1`;
  await run("docker", ["exec", id, "bash", "-c", wait]);
}

async function exists(kind: "container" | "volume", name: string): Promise<boolean> {
  return run("docker", [kind, "inspect", name]).then(
    () => true,
    () => false,
  );
}

test("jobs at work go on without their orchestrator, and what they said meanwhile comes once, in order", async () => {
  const ticking = await orchestrator.schedule({ prompt: script(TICKING) });
  const brief = await orchestrator.schedule({
    prompt: script("sleep 1; echo brief > brief.txt; cat brief.txt"),
  });
  const queued = await orchestrator.schedule({ prompt: script("echo I waited") });
  await orchestrator.untilPrinted(ticking, "tick 3\n");
  await untilPhase(orchestrator, brief, "working");
  const before = await orchestrator.allEvents(ticking);
  const containers = [await container(orchestrator, ticking), await container(orchestrator, brief)] as const;

  await killed();
  await untilFile(containers[1], "/home/agent/workspace/brief.txt");
  await untilFile(containers[0], "/home/agent/workspace/ticked");
  await orchestrator.restart();

  for (const job_id of [ticking, brief, queued]) {
    const job = await orchestrator.ended(job_id);
    assert.equal(job.status, "complete", JSON.stringify(job.reason));
    assertWhole(await orchestrator.allEvents(job_id));
    assertManifest(await orchestrator.zip(job_id));
    await assertNothingLeft(orchestrator, job_id);
  }
  assert.equal(await orchestrator.logs(ticking), TICKED);
  assert.equal(await orchestrator.logs(brief), "brief\n");
  assert.equal(await orchestrator.logs(queued), "I waited\n");
  const events = await orchestrator.allEvents(ticking);
  assert.deepEqual(events.slice(0, before.length), before, "what was seen before is never changed");
});

test("a job that is at work when the orchestrator comes back is followed live again", async () => {
  const job_id = await orchestrator.schedule({ prompt: script(TICKING) });
  await orchestrator.untilPrinted(job_id, "tick 3\n");
  await killed();
  await orchestrator.restart();
  const seen: Event[] = [];
  for await (const event of orchestrator.events(job_id)) seen.push(event);
  assertWhole(seen);
  assert(
    seen.some((event) => event.type === "sandbox.linked" && event.data.relinked),
    "the same sandbox was linked again",
  );
  assert.equal(await orchestrator.logs(job_id), TICKED);
  assert.equal((await orchestrator.job(job_id)).status, "complete");
});

const MOMENTS: { what: string; matches: (event: Event) => boolean }[] = [
  {
    what: "when the job begins to start",
    matches: (event) => event.type === "phase.changed" && event.data.phase === "starting",
  },
  { what: "when the sandbox was placed", matches: (event) => event.type === "sandbox.started" },
  { what: "when the sandbox linked", matches: (event) => event.type === "sandbox.linked" },
  { what: "when the job began to work", matches: (event) => event.type === "job.started" },
];
for (const { what, matches } of MOMENTS)
  test(`an orchestrator killed ${what} brings the job to its end after a restart`, async () => {
    const job_id = await orchestrator.schedule({
      prompt: script("echo once | tee -a once.txt", "sleep 0.5; echo twice"),
    });
    await orchestrator.until(job_id, matches);
    await killed();
    await orchestrator.restart();
    const job = await orchestrator.ended(job_id);
    assert.equal(job.status, "complete", JSON.stringify(job.reason));
    const events = await orchestrator.allEvents(job_id);
    assertWhole(events);
    for (const type of ["sandbox.started", "job.started", "plan.made", "agent.ended"] as const)
      assert.equal(events.filter((event) => event.type === type).length, 1, `one ${type}`);
    assert.equal(await orchestrator.logs(job_id), "once\ntwice\n");
    assert.equal(text(await orchestrator.zip(job_id), "once.txt"), "once\n");
    await assertNothingLeft(orchestrator, job_id);
  });

test("an orchestrator killed while it packs packs again, and leaves no half-written file", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script("head -c 150M /dev/urandom > large.bin; sha256sum large.bin > sum.txt"),
  });
  await untilPhase(orchestrator, job_id, "packing");
  const folder = join(orchestrator.data, "jobs", job_id);
  await untilSome(folder);
  await killed();
  await orchestrator.restart();
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assertWhole(await orchestrator.allEvents(job_id));
  const zip = await orchestrator.zip(job_id);
  assertManifest(zip);
  assert.equal(zip.get("large.bin")?.content.length, 150 * 1024 * 1024);
  const files = await readdir(folder, { recursive: true });
  assert.deepEqual(
    files.filter((name) => /tmp|part|\.new/.test(name)),
    [],
  );
  await assertNothingLeft(orchestrator, job_id);
});

test("a sandbox that died while the orchestrator was away ends as orchestrator_lost, with the work so far", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script("echo kept > kept.txt; echo ready; sleep 1000"),
  });
  await orchestrator.untilPrinted(job_id, "ready");
  const id = await container(orchestrator, job_id);
  await killed();
  await run("docker", ["kill", id]);
  await orchestrator.restart();
  const job = await orchestrator.ended(job_id);
  assertReason(job, "orchestrator_lost");
  assertWhole(await orchestrator.allEvents(job_id));
  const zip = await orchestrator.zip(job_id);
  assert.equal(text(zip, "kept.txt"), "kept\n");
  assertManifest(zip);
  await assertNothingLeft(orchestrator, job_id);
});

test("a cancel that was accepted right before the orchestrator died is carried out", async () => {
  const job_id = await orchestrator.schedule({ prompt: script("echo ready; sleep 1000") });
  await orchestrator.untilPrinted(job_id, "ready");
  await orchestrator.cancel(job_id);
  await killed();
  await orchestrator.restart();
  assert.equal((await orchestrator.ended(job_id)).status, "cancelled");
  assertWhole(await orchestrator.allEvents(job_id));
  await assertNothingLeft(orchestrator, job_id);
});

test("containers and volumes that belong to nothing are removed after a restart, those of another installation stay", async (t) => {
  const image = (await run("docker", ["image", "inspect", "-f", "{{.Id}}", "sealwork/base"])).stdout.trim();
  const own = await orchestrator.installation();
  await killed();
  const made = [own, `other${own}`].map((installation) => ({
    container: `sealwork.${installation}.sorphan`,
    volume: `sealwork-orphan-${installation}`,
    loose: `sealwork-loose-${installation}`,
    label: `sealwork.installation=${installation}`,
  }));
  t.after(async () => {
    for (const { container, volume, loose } of made) {
      await run("docker", ["rm", "-f", container]).catch(() => undefined);
      await run("docker", ["volume", "rm", "-f", volume, loose]).catch(() => undefined);
    }
  });
  for (const { container, volume, loose, label } of made) {
    await run("docker", ["volume", "create", "--label", label, volume]);
    await run("docker", ["volume", "create", "--label", label, loose]);
    const labels = [
      "--label",
      label,
      "--label",
      "sealwork.sandbox=sorphan",
      "--label",
      `sealwork.volume=${volume}`,
    ];
    const mount = ["-v", `${volume}:/home/agent`, "--network", "none"];
    await run("docker", ["run", "-d", "--name", container, ...labels, ...mount, image, "sleep", "1000"]);
  }
  const [mine, foreign] = made;
  assert(mine !== undefined && foreign !== undefined);
  await orchestrator.restart();
  const deadline = Date.now() + 30_000;
  while (
    (await exists("container", mine.container)) ||
    (await exists("volume", mine.volume)) ||
    (await exists("volume", mine.loose))
  )
    assert(Date.now() < deadline, "what belongs to nothing is removed");
  assert(await exists("container", foreign.container), "a container of another installation stays");
  assert(await exists("volume", foreign.volume), "a volume of another installation stays");
  assert(await exists("volume", foreign.loose), "a loose volume of another installation stays");
});

/** Waits until something was written in a folder. */
async function untilSome(folder: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (true) {
    const found = await readdir(folder, { recursive: true }).catch(() => []);
    if (found.length > 0) return;
    assert(Date.now() < deadline, `nothing was written in ${folder}`);
    await new Promise((next) => setTimeout(next, 20));
  }
}
