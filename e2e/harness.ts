import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { fromBuffer } from "yauzl";
import { JobsAnswer, ScheduleAnswer } from "../src/contract/api.ts";
import { type Config, PROVIDER_VARIABLES } from "../src/contract/config.ts";
import type { Event } from "../src/contract/event.ts";
import { Job, type JobRequestInput } from "../src/contract/job.ts";

export const run = promisify(execFile);
export const REPOSITORY = resolve(import.meta.dirname, "..");
const PROGRAM = join(REPOSITORY, "src/bin/sealwork.ts");
/** Nothing in these tests takes this long on any machine that can run them; it only keeps a broken test from hanging for ever. */
export const PATIENCE_MS = 180_000;
const LOG_LINES_KEPT = 2_000;
const REMOVAL_ATTEMPTS = 50;

type ConfigInput = Partial<{ [K in keyof Config]: unknown }>;

/** A real orchestrator in a process and a state folder of its own, talked to over HTTP as any client would. */
export class TestOrchestrator {
  readonly data: string;
  readonly #environment: Record<string, string>;
  readonly #args: readonly string[];
  readonly #command: readonly [string, ...string[]];
  #child: ChildProcess | null = null;
  #url = "";
  #token = "";
  #logged: string[] = [];

  private constructor(
    data: string,
    options: { environment: Record<string, string>; args: readonly string[]; launcher: boolean },
  ) {
    this.data = data;
    this.#environment = options.environment;
    this.#args = options.args;
    this.#command = options.launcher ? [join(REPOSITORY, "sealwork")] : [process.execPath, PROGRAM];
  }

  /** `args` are further flags of `serve`. With `launcher` it is started as people start it, set-up of the checkout included. */
  static async start(
    options: {
      config?: ConfigInput;
      environment?: Record<string, string>;
      args?: readonly string[];
      launcher?: boolean;
    } = {},
  ): Promise<TestOrchestrator> {
    const data = await mkdtemp(join(tmpdir(), "sw-"));
    const config_file = join(data, "config.json");
    await writeFile(config_file, JSON.stringify({ concurrency: 2, ...options.config }));
    const environment = { SEALWORK_DATA: data, SEALWORK_CONFIG: config_file, ...options.environment };
    const orchestrator = new TestOrchestrator(data, {
      environment,
      args: options.args ?? [],
      launcher: options.launcher ?? false,
    });
    await orchestrator.restart();
    return orchestrator;
  }

  get url(): string {
    return this.#url;
  }
  get token(): string {
    return this.#token;
  }
  get pid(): number {
    assert(this.#child?.pid !== undefined, "the orchestrator runs");
    return this.#child.pid;
  }

  /** What it logged, the last LOG_LINES_KEPT lines. */
  get logged(): string {
    return this.#logged.join("\n");
  }

  /** Resident memory of its process in bytes. */
  async memory_bytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** The environment with which a CLI finds this orchestrator, with a home folder that holds nothing else. */
  get environment(): Record<string, string> {
    return { PATH: process.env.PATH ?? "", HOME: this.data, ...this.#environment };
  }

  /** Starts it (again) on the same state folder; with `same_port` where its clients know it. */
  async restart({ same_port = false } = {}): Promise<void> {
    assert.equal(this.#child, null, "it is stopped before it is started again");
    const [program, ...before] = this.#command;
    const port = same_port ? new URL(this.#url).port : "0";
    const child = spawn(program, [...before, "serve", "--port", port, ...this.#args], {
      env: { ...withoutProviders(process.env), ...this.environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    const lines = this.#logged;
    assert(child.stderr !== null);
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      if (lines.length > LOG_LINES_KEPT) lines.shift();
    });
    const began = Date.now();
    while (true) {
      const holder = await readFile(join(this.data, "holder.json"), "utf8").then(JSON.parse, () => null);
      if (holder !== null && holder.pid === child.pid && holder.url !== "") {
        this.#url = holder.url;
        break;
      }
      if (child.exitCode !== null || Date.now() - began > PATIENCE_MS)
        throw new Error(`the orchestrator did not start:\n${lines.join("\n")}`);
      await new Promise((next) => setTimeout(next, 50));
    }
    this.#token = this.#args.includes("--no-auth")
      ? ""
      : (await readFile(join(this.data, "token"), "utf8")).trim();
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#token !== "" && !headers.has("authorization"))
      headers.set("authorization", `Bearer ${this.#token}`);
    return fetch(new URL(path, this.#url), { ...init, headers });
  }

  async schedule(request: JobRequestInput): Promise<string> {
    const answer = await this.fetch("/schedule", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return ScheduleAnswer.parse(body).job_id;
  }

  async job(job_id: string): Promise<Job> {
    const answer = await this.fetch(`/status/${job_id}`);
    assert.equal(answer.status, 200);
    return Job.parse(await answer.json());
  }

  async jobs(): Promise<Job[]> {
    return JobsAnswer.parse(await (await this.fetch("/jobs?limit=500")).json()).jobs;
  }

  async cancel(job_id: string): Promise<void> {
    const answer = await this.fetch(`/cancel/${job_id}`, { method: "POST" });
    assert.equal(answer.status, 200, await answer.clone().text());
  }

  /** Says something to the agent of a job. */
  async message(job_id: string, text: string): Promise<void> {
    await this.#post(`/jobs/${job_id}/messages`, { text });
  }

  /** Answers the n-th question of a job. */
  async answer(job_id: string, n: number, decision: "allow" | "deny"): Promise<void> {
    await this.#post(`/jobs/${job_id}/approvals/${n}`, { decision });
  }

  async #post(path: string, body: object): Promise<void> {
    const headers = { "content-type": "application/json" };
    const answer = await this.fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.clone().text());
  }

  /** Live events of a job; ends with the job. */
  async *events(job_id: string, query = "", patience_ms = PATIENCE_MS): AsyncGenerator<Event> {
    const answer = await this.fetch(`/jobs/${job_id}/events${query}`, {
      headers: { accept: "application/x-ndjson" },
      signal: AbortSignal.timeout(patience_ms),
    });
    assert.equal(answer.status, 200);
    assert(answer.body !== null);
    let rest = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as Event;
    }
  }

  async allEvents(job_id: string): Promise<Event[]> {
    return Array.fromAsync(this.events(job_id, "?follow=false"));
  }

  /** Waits for the first event that matches, from the job's beginning. */
  async until(job_id: string, matches: (event: Event) => boolean): Promise<Event> {
    for await (const event of this.events(job_id)) if (matches(event)) return event;
    throw new Error(`job ${job_id} ended before the event came`);
  }

  /** Waits until a step has printed a text. */
  async untilPrinted(job_id: string, text: string): Promise<void> {
    let printed = "";
    for await (const event of this.events(job_id)) {
      if (event.type !== "step.output") continue;
      printed += Buffer.from(event.data.data, event.data.encoding).toString();
      if (printed.includes(text)) return;
    }
    const { reason } = await this.job(job_id);
    throw new Error(
      `job ${job_id} ended (${reason?.code}: ${reason?.message}) without printing ${JSON.stringify(text)}; it printed ${JSON.stringify(printed)}`,
    );
  }

  /** `patience_ms` is longer for a job whose image may have to be built first. */
  async ended(job_id: string, patience_ms = PATIENCE_MS): Promise<Job> {
    for await (const event of this.events(job_id, "?types=job.ended", patience_ms))
      if (event.type === "job.ended") break;
    return this.job(job_id);
  }

  async logs(job_id: string, query = ""): Promise<string> {
    return (await this.fetch(`/jobs/${job_id}/logs${query}`)).text();
  }

  /** The files of a job's ZIP by name. */
  async zip(job_id: string): Promise<Map<string, { content: Buffer; mode: number }>> {
    const answer = await this.fetch(`/download/${job_id}`);
    assert.equal(answer.status, 200, await answer.clone().text());
    return readZip(Buffer.from(await answer.arrayBuffer()));
  }

  /** The containers of this orchestrator's jobs that the engine has, by job. */
  async containers(job_id: string): Promise<string[]> {
    const { stdout } = await run("docker", [
      "ps",
      "-aq",
      "--no-trunc",
      "--filter",
      `label=sealwork.job=${job_id}`,
    ]);
    return stdout.split("\n").filter((line) => line !== "");
  }

  /** The volumes of this orchestrator's jobs that the engine has, by job. */
  async volumes(job_id: string): Promise<string[]> {
    const { stdout } = await run("docker", [
      "volume",
      "ls",
      "-q",
      "--filter",
      `label=sealwork.job=${job_id}`,
    ]);
    return stdout.split("\n").filter((line) => line !== "");
  }

  /** The id that its containers and volumes bear as a label. */
  async installation(): Promise<string> {
    return (await readFile(join(this.data, "installation-id"), "utf8")).trim();
  }

  /** Stops it and removes what it left, at the engine too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM");
    await removeFromEngine(this.data);
    await rm(this.data, { recursive: true, force: true });
  }
}

/** What a developer has for models of their own must not decide what a test sees. */
function withoutProviders(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names: readonly string[] = PROVIDER_VARIABLES;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));
}

/** Removes the containers and volumes of the installation that has this state folder. */
export async function removeFromEngine(data: string): Promise<void> {
  const installation = await readFile(join(data, "installation-id"), "utf8").then(
    (text) => text.trim(),
    () => null,
  );
  if (installation !== null) await removeAll(`label=sealwork.installation=${installation}`);
}

/** The engine may be removing some of it already and refuses then, so it is asked again. */
async function removeAll(filter: string): Promise<void> {
  const list = async (...args: string[]) =>
    (await run("docker", [...args, "--filter", filter])).stdout.split("\n").filter(Boolean);
  for (let attempt = 1; ; attempt += 1) {
    const containers = await list("ps", "-aq");
    const volumes = await list("volume", "ls", "-q");
    if (containers.length + volumes.length === 0) return;
    try {
      if (containers.length > 0) await run("docker", ["rm", "-f", ...containers]);
      if (volumes.length > 0) await run("docker", ["volume", "rm", "-f", ...volumes]);
    } catch (error) {
      if (attempt === REMOVAL_ATTEMPTS) throw error;
      await new Promise((next) => setTimeout(next, 200));
    }
  }
}

export type CliOptions = { env: Record<string, string>; cwd?: string; input?: string };
export type CliResult = { code: number; stdout: string; stderr: string };

/** Runs the command line client, as a person would. Never rejects for an exit code. */
export function cli(args: string[], options: CliOptions): Promise<CliResult> {
  return new CliProcess(args, options).ended;
}

/** A command line client that runs, so that a test can wait for what it prints and send it signals. */
export class CliProcess {
  readonly started_at = Date.now();
  readonly ended: Promise<CliResult>;
  readonly #child: ChildProcess;
  readonly #printed = { stdout: "", stderr: "" };
  readonly #changed = new EventEmitter();
  #closed = false;

  constructor(args: string[], options: CliOptions) {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      env: options.env,
      cwd: options.cwd ?? REPOSITORY,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    // A client that needs no input may end before it has taken any.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        this.#printed[name] += text;
        this.#changed.emit("changed");
      });
    this.ended = once(child, "close").then(([code]) => {
      this.#closed = true;
      this.#changed.emit("changed");
      return { code: code ?? -1, ...this.#printed };
    });
  }

  /** What it has printed so far. */
  get printed(): { stdout: string; stderr: string } {
    return { ...this.#printed };
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until it has printed a text, on whichever stream. */
  async untilPrinted(text: string): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    while (!this.#printed.stdout.includes(text) && !this.#printed.stderr.includes(text)) {
      if (this.#closed)
        throw new Error(
          `it ended without printing ${JSON.stringify(text)}:\n${JSON.stringify(this.#printed)}`,
        );
      await once(this.#changed, "changed", { signal });
    }
  }
}

export async function readZip(bytes: Buffer): Promise<Map<string, { content: Buffer; mode: number }>> {
  const files = new Map<string, { content: Buffer; mode: number }>();
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
    if (error !== null) return reject(error);
    zip.on("error", reject);
    zip.on("end", () => done());
    zip.on("entry", (entry) => {
      const mode = entry.externalFileAttributes >>> 16;
      zip.openReadStream(entry, (failure, stream) => {
        if (failure !== null) return reject(failure);
        Array.fromAsync(stream).then((chunks) => {
          files.set(entry.fileName, { content: Buffer.concat(chunks as Buffer[]), mode });
          zip.readEntry();
        }, reject);
      });
    });
    zip.readEntry();
  });
  await promise;
  return files;
}

/** The steps of a script as a prompt. */
export function script(...blocks: string[]): string {
  return blocks.map((block) => `\`\`\`sh\n${block}\n\`\`\``).join("\n\n");
}
