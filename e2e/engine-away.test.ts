import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { run, script, TestOrchestrator } from "./harness.ts";
import {
  assertManifest,
  assertPackingSoon,
  assertReason,
  assertWhole,
  text,
  untilPhase,
} from "./job-checks.ts";

const IMAGE = "sealwork-test/small";
/** DESIGN.md's two lines on the smallest base there is, so that little has to be carried into the second engine. */
const DOCKERFILE =
  "FROM debian:trixie-slim\nCOPY --from=sealwork/base /opt/sealwork /opt/sealwork\nRUN /opt/sealwork/setup\n";
const AWAY_MS = 62_000;

/** A Docker engine of this test's own, which may be stopped without harm to anybody. */
class PrivateEngine {
  readonly folder: string;
  #child: ChildProcess | null = null;

  constructor(folder: string) {
    this.folder = folder;
  }

  get host(): string {
    return `unix://${join(this.folder, "docker.sock")}`;
  }

  async start(): Promise<void> {
    const at = (name: string) => join(this.folder, name);
    // In a network of its own: an engine without a bridge removes the bridge that it finds, which is the other engine's.
    const child = spawn(
      "unshare",
      [
        ...["--net", "dockerd"],
        ...["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid"), "-H", this.host],
        ...["--bridge=none", "--iptables=false", "--shutdown-timeout=1", "--log-level=error"],
      ],
      { stdio: "ignore", detached: true },
    );
    this.#child = child;
    for (let attempt = 0; attempt < 300; attempt++) {
      assert(child.exitCode === null && child.signalCode === null, "the second engine runs");
      if (
        await this.docker("version").then(
          () => true,
          () => false,
        )
      )
        return;
      await sleep(100);
    }
    throw new Error("the second engine did not answer");
  }

  docker(...args: string[]): Promise<{ stdout: string }> {
    return run("docker", ["-H", this.host, ...args]);
  }

  /** Ends the engine, and with it its containerd and containers. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }
}

test("jobs whose engine restarts or stays away are in packing in time, and packed when it is back", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("a second engine needs root");
  if (
    !(await run("dockerd", ["--version"]).then(
      () => true,
      () => false,
    ))
  )
    return t.skip("there is no dockerd");
  const folder = await mkdtemp(join(tmpdir(), "sw-engine-"));
  const engine = new PrivateEngine(folder);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  stack.defer(() => engine.stop());
  const build = join(folder, "image");
  await run("mkdir", [build]);
  await writeFile(join(build, "Dockerfile"), DOCKERFILE);
  await run("docker", ["build", "-q", "-t", IMAGE, build]);
  const saved = join(folder, "image.tar");
  await run("docker", ["save", "-o", saved, IMAGE]);
  await run("docker", ["rmi", IMAGE]);
  await engine.start();
  await engine.docker("load", "-q", "-i", saved);
  const orchestrator = stack.use(
    await TestOrchestrator.start({
      config: { default_template: "small", templates: { small: { image: IMAGE } } },
      environment: { DOCKER_HOST: engine.host },
    }),
  );

  for (const away_ms of [0, AWAY_MS]) {
    const job_id = await orchestrator.schedule({
      prompt: script("echo kept > kept.txt; echo ready; sleep 1000"),
      template: "small",
    });
    await orchestrator.untilPrinted(job_id, "ready");
    await engine.stop();
    const stopped_at = Date.now();
    if (away_ms > 0) {
      await untilPhase(orchestrator, job_id, "packing");
      await sleep(away_ms);
      assert.equal((await orchestrator.job(job_id)).phase, "packing", "it waits for its engine");
    }
    await engine.start();
    assertReason(await orchestrator.ended(job_id), "sandbox_died");
    const events = await orchestrator.allEvents(job_id);
    assertWhole(events);
    assertPackingSoon(events, stopped_at);
    const zip = await orchestrator.zip(job_id);
    assert.equal(text(zip, "kept.txt"), "kept\n");
    assertManifest(zip);
  }
  const next = await orchestrator.schedule({ prompt: script("echo again"), template: "small" });
  assert.equal((await orchestrator.ended(next)).status, "complete");
});
