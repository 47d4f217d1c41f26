import assert from "node:assert/strict";
import { access, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ReasonCode } from "../src/contract/errors.ts";
import type { Job } from "../src/contract/job.ts";
import { bundleRunner } from "../src/drivers/runner-bundle.ts";
import { REPOSITORY, run, script, TestOrchestrator } from "./harness.ts";
import { assertNothingLeft, assertWhole, text } from "./job-checks.ts";

const MiB = 1024 * 1024;
const IMAGE = "sealwork-test/hostile";
/** Lies that begin before the runner knows of any job, each by an image of its own; all others are named by the prompt. */
const FROM_THE_START = [
  "garbage",
  "silent",
  "deaf",
  "dies",
  "crowd",
  "huge-hello",
  "hello-of-no-shape",
  "other-job",
  "old-protocol",
  "cut-tar",
] as const;
/**
 * Beyond what an orchestrator takes after its first job. Its heap swings by 270 MiB when floods come in at full speed, and falls again; the
 * floods themselves are endless, or cut at bounds that together are far above this.
 */
const MEMORY_GROWTH_MAX_BYTES = 400 * MiB;

let orchestrator: TestOrchestrator;
let memory_before_bytes: number;
before(async () => {
  const limits = { memory_bytes: 512 * MiB, disk_bytes: 16 * MiB, cpus: 1 };
  const template = (image: string) => ({ image, limits });
  const templates = Object.fromEntries(
    ["later", ...FROM_THE_START].map((lie) => [lie, template(`${IMAGE}:${lie}`)]),
  );
  orchestrator = await TestOrchestrator.start({ config: { templates, start_timeout_s: 3, concurrency: 4 } });
  // The start of an orchestrator makes sure of the base image that these are derived from.
  await makeImages();
  await orchestrator.ended(await orchestrator.schedule({ prompt: script("true") }));
  memory_before_bytes = await orchestrator.memory_bytes();
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
  await run("docker", ["rmi", "-f", ...["later", ...FROM_THE_START].map((lie) => `${IMAGE}:${lie}`)]);
});

async function makeImages(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-hostile-"));
  try {
    const { code } = await bundleRunner(REPOSITORY, join(import.meta.dirname, "lying-runner.fake.ts"));
    await writeFile(join(folder, "runner.mjs"), code);
    await writeFile(
      join(folder, "Dockerfile"),
      'FROM sealwork/base:latest\nCOPY runner.mjs /opt/sealwork/runner.mjs\nARG LIE=""\nENV LIE=$LIE\n',
    );
    for (const lie of ["later", ...FROM_THE_START])
      await run("docker", [
        "build",
        "-q",
        "-t",
        `${IMAGE}:${lie}`,
        "--build-arg",
        `LIE=${lie === "later" ? "" : lie}`,
        folder,
      ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a lying job with an honest one beside it, which must not notice. */
async function besideAnHonestJob(
  lie: string,
  limits: { idle_timeout_s?: number } = {},
): Promise<{ job: Job; job_id: string }> {
  const template = FROM_THE_START.some((one) => one === lie) ? lie : "later";
  const honest = await orchestrator.schedule({ prompt: script(`echo ${lie} > a.txt; sleep 0.3; echo done`) });
  const job_id = await orchestrator.schedule({ prompt: script(lie), template, limits });
  const [job, other] = await Promise.all([orchestrator.ended(job_id), orchestrator.ended(honest)]);
  assert.equal(other.status, "complete", JSON.stringify(other.reason));
  assert.equal(text(await orchestrator.zip(honest), "a.txt"), `${lie}\n`);
  assertWhole(await orchestrator.allEvents(job_id));
  await assertNothingLeft(orchestrator, job_id);
  return { job, job_id };
}

const lies: [lie: string, what: string, code: ReasonCode, limits?: { idle_timeout_s: number }][] = [
  ["garbage", "garbage instead of HTTP/2", "sandbox_start_failed"],
  ["silent", "taking everything and answering nothing", "sandbox_start_failed"],
  ["deaf", "not even reading", "sandbox_start_failed"],
  ["dies", "a program that is no runner and exits", "sandbox_start_failed"],
  ["huge-hello", "a hello without end", "protocol_violated"],
  ["hello-of-no-shape", "a hello of another shape", "protocol_violated"],
  ["other-job", "answering for another job", "protocol_violated"],
  ["old-protocol", "a version of the link that nobody speaks", "protocol_violated"],
  ["refuses-to-start", "a refusal with a code of its own", "protocol_violated"],
  ["huge-refusal", "a refusal that is larger than any answer may be", "protocol_violated"],
  ["wrong-n", "events that leave out a number", "protocol_violated"],
  ["unknown-type", "events of a type that does not exist", "protocol_violated"],
  ["ends-the-job-itself", "events that only the orchestrator may say", "protocol_violated"],
  ["long-line", "one event that never ends", "protocol_violated"],
  ["no-json", "events that are no JSON", "protocol_violated"],
  ["output-flood", "an endless flood of output", "protocol_violated"],
  ["blob-of-another-name", "a blob that is not what its name says", "protocol_violated"],
  ["claims-cancel", "a claim that the user cancelled", "agent_failed"],
  ["claims-internal", "a claim of a fault of ours", "agent_failed"],
  ["says-nothing", "no event at all", "idle_timed_out", { idle_timeout_s: 1 }],
  ["endless-tar", "a file of the workspace that never ends", "protocol_violated"],
  ["cut-tar", "a tar that is cut short", "sandbox_died"],
  ["wrong-hash", "a tar with the hash of another", "protocol_violated"],
  ["no-tar", "what is no tar at all", "protocol_violated"],
];

for (const [lie, what, code, limits] of lies)
  test(`a runner that lies by ${what} ends its own job with ${code} and touches no other`, async () => {
    const { job, job_id } = await besideAnHonestJob(lie, limits);
    assert.equal(job.status, "error");
    assert.equal(job.reason?.code, code, JSON.stringify(job.reason));
    assert.ok((job.reason?.message ?? "").length > 10 && (job.reason?.hint ?? "") !== "");
    const zip = await orchestrator.zip(job_id);
    assert.equal(JSON.parse(text(zip, ".sealwork/result.json")).reason.code, code);
  });

test("a connection that is cut within the tar once is made good by a fresh sandbox", async () => {
  const { job, job_id } = await besideAnHonestJob("cut-connection");
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(text(await orchestrator.zip(job_id), "good.txt"), "good");
});

test("a runner that opens hundreds of connections gets one link and delays nobody", async () => {
  const { job } = await besideAnHonestJob("crowd");
  assert.ok(job.status === "complete" || job.reason?.code === "sandbox_start_failed", JSON.stringify(job));
});

test("a tar of hostile names becomes a ZIP of what is harmless in it, and touches no file here", async () => {
  const { job, job_id } = await besideAnHonestJob("hostile-names");
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  const zip = await orchestrator.zip(job_id);
  const own = [...zip.keys()].filter((name) => name.startsWith(".sealwork/"));
  const rest = [...zip.keys()].filter((name) => !name.startsWith(".sealwork/"));
  assert.deepEqual(rest.sort(), ["good.txt", "in", "out/passwd"]);
  assert.equal(text(zip, "good.txt"), "good");
  // Its folder is a plain one here, since the symlink of that name was left out.
  assert.equal(text(zip, "out/passwd"), "through a symlink");
  assert.equal(own.length, new Set(own).size);
  assert.equal(JSON.parse(text(zip, ".sealwork/result.json")).job_id, job_id);
  assert.ok(JSON.parse(text(zip, ".sealwork/manifest.json")).left_out >= 13);
  await assert.rejects(access("/tmp/absolute.txt"));
  for (const name of await readdir(orchestrator.data, { recursive: true }))
    assert.doesNotMatch(name, /up\.txt|b\.txt|absolute/);
});

test("numbers beyond all sense are no reason for a job to break", async () => {
  const { job } = await besideAnHonestJob("huge-numbers");
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
});

test("a tool that dials the link beside the runner is turned away, and can end only its own job", async () => {
  const dial = `
import socket, time
mine = []
for name in ["control", "bulk"] * 100:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(2)
    try:
        one.connect("/run/sealwork/" + name)
        one.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + b"\\0" * 9)
    except OSError:
        pass
    mine.append(one)
time.sleep(0.5)
print("dialled")`;
  const job_id = await orchestrator.schedule({
    prompt: `\`\`\`python\n${dial}\n\`\`\`\n\n${script("echo the next step runs")}`,
  });
  const job = await orchestrator.ended(job_id);
  await assertNothingLeft(orchestrator, job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(await orchestrator.logs(job_id), "dialled\nthe next step runs\n");
});

test("after all of these the orchestrator is as it was: small, answering, and with nothing left at the engine", async () => {
  assert.equal((await orchestrator.fetch("/healthz")).status, 200);
  const grown_bytes = (await orchestrator.memory_bytes()) - memory_before_bytes;
  assert.ok(grown_bytes < MEMORY_GROWTH_MAX_BYTES, `it grew by ${grown_bytes} bytes`);
  const label = `label=sealwork.installation=${await orchestrator.installation()}`;
  assert.equal((await run("docker", ["ps", "-aq", "--filter", label])).stdout, "");
  assert.equal((await run("docker", ["volume", "ls", "-q", "--filter", label])).stdout, "");
  assert.deepEqual(await readdir(join(orchestrator.data, "links")), []);
});
