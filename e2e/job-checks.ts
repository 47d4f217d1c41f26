import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Event } from "../src/contract/event.ts";
import type { Job, Phase } from "../src/contract/job.ts";
import { run, type TestOrchestrator } from "./harness.ts";

/** What the issue allows between the cause of an end and phase packing. */
const PACKING_WITHIN_MS = 10_000;

export type Zip = Map<string, { content: Buffer; mode: number }>;

/** Every event once, in order, without gaps; each phase at most once, but that a job may wait for people again and again; nothing after the end. */
export function assertWhole(events: Event[]): void {
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
    "the events are numbered from 1 without gaps",
  );
  assert.equal(events.at(-1)?.type, "job.ended", "nothing comes after the end");
  assert.equal(events.filter(({ type }) => type === "job.ended").length, 1);
  const phases = events.flatMap((event) => (event.type === "phase.changed" ? event.data.phase : []));
  const once = phases.filter(
    (phase, index) => phase !== "waiting" && (phase !== "working" || phases[index - 1] !== "waiting"),
  );
  assert.deepEqual(once, [...new Set(once)], "no phase is entered twice");
  assert(phases.includes("packing"), "every job is packed");
}

/** The files that the manifest names are those of the ZIP, with these hashes. */
export function assertManifest(zip: Zip): void {
  const manifest = JSON.parse(text(zip, ".sealwork/manifest.json")) as {
    files: { path: string; sha256?: string | null }[];
  };
  const hashed = manifest.files.filter((file) => typeof file.sha256 === "string");
  assert(hashed.length > 0, "the manifest names files");
  for (const { path, sha256 } of hashed) {
    const file = zip.get(path);
    assert(file !== undefined, `${path} of the manifest is in the ZIP`);
    assert.equal(createHash("sha256").update(file.content).digest("hex"), sha256, `the hash of ${path}`);
  }
  const named = new Set(manifest.files.map(({ path }) => path));
  const unnamed = [...zip.keys()].filter((path) => !path.endsWith("/") && !named.has(path));
  assert.deepEqual(unnamed, [".sealwork/manifest.json"], "no file but the manifest itself lacks an entry");
}

/** A file of a ZIP as text. */
export function text(zip: Zip, path: string): string {
  const file = zip.get(path);
  assert(file !== undefined, `${path} is in the ZIP, which has ${[...zip.keys()].join(", ")}`);
  return file.content.toString();
}

export function packingAt(events: Event[]): number {
  const packing = events.find(
    ({ type, data }) => type === "phase.changed" && "phase" in data && data.phase === "packing",
  );
  assert(packing !== undefined, "the job came into phase packing");
  return Date.parse(packing.at);
}

/** `cause_at` in ms since 1970. */
export function assertPackingSoon(events: Event[], cause_at: number): void {
  const took_ms = packingAt(events) - cause_at;
  assert(took_ms <= PACKING_WITHIN_MS, `packing began ${took_ms} ms after the cause`);
}

export function assertReason(job: Job, code: string): void {
  assert.equal(job.status, "error");
  assert.equal(job.reason?.code, code, JSON.stringify(job.reason));
  assert((job.reason?.hint ?? "").length > 0, "the reason comes with a hint");
  assert((job.reason?.message ?? "").length > 0, "the reason says what happened");
}

export function untilPhase(orchestrator: TestOrchestrator, job_id: string, phase: Phase): Promise<Event> {
  return orchestrator.until(job_id, (event) => event.type === "phase.changed" && event.data.phase === phase);
}

/** Waits until the engine has neither a container nor a volume of this job: they go after the job has ended. */
export async function assertNothingLeft(orchestrator: TestOrchestrator, job_id: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (true) {
    const left = [...(await orchestrator.containers(job_id)), ...(await orchestrator.volumes(job_id))];
    if (left.length === 0) return;
    assert(Date.now() < deadline, `the engine still has ${left.join(", ")}`);
    await new Promise((next) => setTimeout(next, 100));
  }
}

/** The one container of a job that runs, as docker inspect has it. */
export async function container(orchestrator: TestOrchestrator, job_id: string): Promise<string> {
  const [id, ...others] = await orchestrator.containers(job_id);
  assert(id !== undefined && others.length === 0, "the job has one container");
  return id;
}

/** When the container of a sandbox ended, in ms since 1970; waits for it. */
export async function killContainer(id: string): Promise<number> {
  const at = Date.now();
  await run("docker", ["kill", id]);
  return at;
}
