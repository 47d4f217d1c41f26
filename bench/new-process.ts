import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY, script, TestOrchestrator } from "../e2e/harness.ts";
import type { RunnerEvent } from "../src/contract/event.ts";
import { Limits } from "../src/contract/limits.ts";
import type { Start } from "../src/contract/link.ts";
import type { SandboxLink } from "../src/core/link.ts";
import { bundleRunner } from "../src/drivers/runner-bundle.ts";
import { type Machine, openBenchSandbox } from "./bench-sandbox.ts";
import { firstOutputOfDocker } from "./docker-command.ts";
import { type Summary, settle, summarize } from "./statistics.ts";

const COMMAND = "echo x";
/** The first processes of a runner find code that the engine of JavaScript has not compiled yet; a linked sandbox that waits has run some. */
const WARM_UP = 5;
/** The script agent takes at most 1000 steps; each is a few ms. */
const SCRIPT_STEPS = 100;

export type NewProcess = {
  /** From a request over the link to the event with the first output of `sh -c 'echo x'`, one at a time. */
  link: Summary;
  /** `docker exec CONTAINER sh -c 'echo x'` in the same sandbox, from the start of the client to the first byte. */
  docker_exec: Summary;
  /** In a job of many blocks: from the end of a step to the first output of the next one, both as an HTTP client sees them. */
  next_step: Summary;
};

/** Measures by turns, so that whatever else the machine does falls on both sides. */
export async function measureNewProcess(machine: Machine, runs: number): Promise<NewProcess> {
  const folder = await mkdtemp(join(tmpdir(), "sb-"));
  try {
    const { code, chunks } = await bundleRunner(REPOSITORY, join(import.meta.dirname, "process-runner.ts"));
    await mkdir(join(folder, "chunks"));
    // The sandbox's user must be able to read them, and no other file lies in the folder.
    for (const { path, content } of [{ path: "runner.mjs", content: code }, ...chunks])
      await writeFile(join(folder, path), content, { mode: 0o644 });
    await using sandbox = await openBenchSandbox(machine, folder);
    const link: number[] = [];
    const docker_exec: number[] = [];
    await using requests = new Requests(sandbox.link);
    for (let turn = 0; turn < WARM_UP; turn++) await requests.firstOutput();
    for (let turn = 0; turn < runs; turn++) {
      await settle();
      link.push(await requests.firstOutput());
      await settle();
      docker_exec.push(await firstOutputOfDocker(["exec", sandbox.container, "sh", "-c", COMMAND]));
    }
    const next_step = summarize(await betweenSteps());
    return { link: summarize(link), docker_exec: summarize(docker_exec), next_step };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Requests to the runner for measurements, one at a time, with its events read as the orchestrator reads them. */
class Requests implements AsyncDisposable {
  readonly #link: SandboxLink;
  readonly #ending = new AbortController();
  readonly #batches: AsyncIterator<RunnerEvent[]>;

  constructor(link: SandboxLink) {
    this.#link = link;
    this.#batches = link.events(0, this.#ending.signal)[Symbol.asyncIterator]();
  }

  async firstOutput(): Promise<number> {
    const begun = performance.now();
    const start: Start = {
      job_id: "bench",
      secret: "bench",
      agent: "script",
      prompt: COMMAND,
      model: null,
      cli: null,
      approval: "never",
      linger_s: 0,
      network: { egress: false, npm_registry: null, pip_index_url: null, ca_pem: null },
      egress: { policy: "none", hosts: [] },
      env: {},
      limits: Limits.parse({}),
      resume: false,
    };
    const asked = this.#link.start(start, this.#ending.signal);
    let first: number | null = null;
    for (let ended = false; !ended; ) {
      const { value, done } = await this.#batches.next();
      assert(done !== true, "the link was lost");
      const now = performance.now();
      if (value.some((event) => event.type === "step.output")) first ??= now - begun;
      ended = value.some((event) => event.type === "step.ended");
      await this.#link.ack(value.at(-1)?.n ?? 0, this.#ending.signal);
    }
    await asked;
    assert(first !== null, "the process printed something");
    return first;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#batches.return?.();
  }
}

async function betweenSteps(): Promise<number[]> {
  await using orchestrator = await TestOrchestrator.start();
  const prompt = script(...Array.from({ length: SCRIPT_STEPS }, () => COMMAND));
  const job_id = await orchestrator.schedule({ prompt });
  const gaps: number[] = [];
  let ended_at: number | null = null;
  for await (const event of orchestrator.events(job_id)) {
    if (event.type === "step.ended") ended_at = performance.now();
    if (event.type !== "step.output" || ended_at === null) continue;
    gaps.push(performance.now() - ended_at);
    ended_at = null;
  }
  return gaps;
}
