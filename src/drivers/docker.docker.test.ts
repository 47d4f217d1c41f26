import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { SandboxSpec, SandboxStatus } from "../core/driver.ts";
import { DockerDriver } from "./docker.ts";
import { containerName } from "./docker-container.ts";
import { docker, openTestSandboxes } from "./docker-sandbox.fake.ts";
import { driverContract } from "./driver.contract.ts";

const DEADLINE_MS = 60_000;

driverContract("the Docker driver", async () => {
  const sandboxes = await openTestSandboxes();
  return {
    open: async (installation) => new DockerDriver({ docker, installation }),
    spec: sandboxes.spec,
    exit: (_driver, spec, code) => sandboxes.run(spec, `exit ${code}\n`),
    close: sandboxes.close,
  };
});

describe("a sandbox of the Docker driver", async () => {
  const sandboxes = await openTestSandboxes();
  const installation = randomBytes(6).toString("hex");
  const driver = new DockerDriver({ docker, installation });
  const made: SandboxSpec[] = [];
  const signal = () => AbortSignal.timeout(DEADLINE_MS);

  after(async () => {
    for (const spec of made) await driver.destroy(spec.id, { keep_volume: false }, signal());
    await driver[Symbol.asyncDispose]();
    await sandboxes.close();
  });

  async function create(overrides: Partial<SandboxSpec> = {}): Promise<SandboxSpec> {
    const spec = await sandboxes.spec(overrides);
    made.push(spec);
    await driver.create(spec, signal());
    return spec;
  }

  /** Starts a script as PID 1 and waits for the end; `meanwhile` runs in between. */
  async function runToEnd(
    script: string,
    options: { meanwhile?: (spec: SandboxSpec) => Promise<unknown>; overrides?: Partial<SandboxSpec> } = {},
  ): Promise<SandboxStatus> {
    const changes = driver.watch(signal())[Symbol.asyncIterator]();
    const first = changes.next();
    const spec = await create(options.overrides);
    await sandboxes.run(spec, script);
    await options.meanwhile?.(spec);
    try {
      for (let change = await first; change.done !== true; change = await changes.next()) {
        if (change.value.id === spec.id && change.value.state === "exited") return change.value;
      }
    } finally {
      await changes.return?.();
    }
    return assert.fail("the watch ended");
  }

  describe("seen from inside", () => {
    let seen: Record<string, string>;
    before(async () => {
      const commands: Record<string, string> = {
        id: "id -u; id -g",
        command: "tr '\\0' ' ' </proc/1/cmdline",
        status: "grep -E '^(Cap(Prm|Eff|Bnd|Inh)|NoNewPrivs|Seccomp):' /proc/self/status",
        root: "touch /opt/x 2>&1; touch /x 2>&1",
        networks: "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '",
        mounts: "grep -E ' /(tmp|run|run/sealwork|home/agent|dev/shm) ' /proc/mounts",
        link: "touch /run/sealwork/x 2>&1",
        tmp: "cp /bin/true /tmp/t && /tmp/t && echo executed; touch /run/mine && echo run is mine",
        home: "touch /home/agent/x && echo home is mine",
        limits: "ulimit -n; ulimit -c; hostname",
        pids: "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null",
        memory: "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null",
      };
      const script = Object.entries(commands)
        .map(([name, command]) => `echo "== ${name}"\n{ ${command}\n}\n`)
        .join("");
      const ended = await runToEnd(`${script}exit 0\n`);
      seen = Object.fromEntries(
        ended.printed
          .split("== ")
          .slice(1)
          .map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1).trim()]),
      );
    });

    test("runs the runner's command as user and group 1000", () => {
      assert.equal(seen.id, "1000\n1000");
      assert.match(
        seen.command ?? "",
        /\/opt\/sealwork\/bin\/node --disable-sigusr1 \/opt\/sealwork\/runner\.mjs/,
      );
    });

    test("has no capability, can gain none, and is filtered by seccomp", () => {
      for (const name of ["CapPrm", "CapEff", "CapBnd", "CapInh"]) {
        assert.match(seen.status ?? "", new RegExp(`${name}:\\s+0000000000000000`));
      }
      assert.match(seen.status ?? "", /NoNewPrivs:\s+1/);
      assert.match(seen.status ?? "", /Seccomp:\s+2/);
    });

    test("cannot write the root file system nor the link folder", () => {
      assert.equal(seen.root?.match(/Read-only file system/g)?.length, 2);
      assert.match(seen.link ?? "", /Read-only file system/);
    });

    test("has no network interface but loopback", () => {
      assert.equal(seen.networks, "lo");
    });

    test("has bounded temporary folders and one volume that are its own", () => {
      assert.match(
        seen.mounts ?? "",
        /tmpfs \/tmp tmpfs (?=.*nosuid)(?=.*nodev)(?!.*noexec)(?=.*size=65536k)/,
      );
      assert.match(seen.mounts ?? "", /tmpfs \/run tmpfs (?=.*noexec)(?=.*size=16384k)/);
      assert.match(seen.mounts ?? "", / \/run\/sealwork \S+ ro,/);
      assert.match(seen.mounts ?? "", / \/dev\/shm tmpfs (?=.*size=65536k)/);
      assert.equal(seen.tmp, "executed\nrun is mine");
      assert.equal(seen.home, "home is mine");
    });

    test("has its limits and a name that tells nothing", () => {
      assert.equal(seen.limits, "16384\n0\nsandbox");
      assert.equal(seen.pids, "64");
      assert.equal(seen.memory, String(128 * 1024 * 1024));
    });
  });

  test("keeps the last 8 KiB of what a container printed that dies early", async () => {
    const ended = await runToEnd(
      "head -c 100000 /dev/zero | tr '\\0' x; echo; echo the last words; exit 3\n",
    );
    assert.equal(ended.exit_code, 3);
    assert.equal(Buffer.byteLength(ended.printed), 8192);
    assert.ok(ended.printed.endsWith("xxx\nthe last words\n"));
  });

  test("ended for memory when its runner was the kernel's victim", async () => {
    const ended = await runToEnd("exec tail /dev/zero\n");
    assert.equal(ended.exit_code, 137);
    assert.equal(ended.reason, "oom");
  });

  test("was killed when somebody asked the engine to, also after a tool ran out of memory", async () => {
    const ended = await runToEnd("tail /dev/zero\necho a tool died\nwhile :; do sleep 1; done\n", {
      meanwhile: async (spec) => {
        const container = docker.getContainer(containerName(installation, spec.id));
        await toolEndedForMemory(container.id);
        await container.kill();
      },
    });
    assert.equal(ended.reason, "killed");
  });

  test("leaves its content in the volume for the next one", async () => {
    const first = await create();
    await sandboxes.run(first, "echo kept >/home/agent/note; exit 0\n");
    await docker.getContainer(containerName(installation, first.id)).wait();
    await driver.destroy(first.id, { keep_volume: true }, signal());
    const ended = await runToEnd("cat /home/agent/note; exit 0\n", { overrides: { volume: first.volume } });
    assert.equal(ended.printed, "kept\n");
  });

  test("leaves no nameless volume of its image behind", async () => {
    const spec = await create();
    const found = await docker.getContainer(containerName(installation, spec.id)).inspect();
    const nameless = found.Mounts.find((mount) => mount.Destination === "/declared")?.Name;
    assert.ok(nameless);
    await driver.destroy(spec.id, { keep_volume: false }, signal());
    await assert.rejects(docker.getVolume(nameless).inspect(), { statusCode: 404 });
  });

  test("is refused when its runtime is missing, and leaves nothing behind", async () => {
    const spec = await sandboxes.spec({ runtime: "no-such-runtime" });
    made.push(spec);
    await assert.rejects(driver.create(spec, signal()), {
      code: "setup_failed",
      message: /no runtime no-such-runtime/,
    });
    assert.ok((await driver.list(signal())).every((status) => status.id !== spec.id));
    await driver.destroyVolume(spec.volume, signal());
  });

  test("is refused when the volume belongs to something else", async () => {
    const spec = await sandboxes.spec();
    await docker.createVolume({ Name: spec.volume });
    try {
      await assert.rejects(driver.create(spec, signal()), { code: "setup_failed" });
      await driver.destroyVolume(spec.volume, signal());
      await docker.getVolume(spec.volume).inspect();
    } finally {
      await docker.getVolume(spec.volume).remove();
    }
  });
});

async function toolEndedForMemory(container: string): Promise<void> {
  const events = await docker.getEvents({ since: 1, filters: { container: [container], event: ["oom"] } });
  for await (const _ of events) return;
  assert.fail("the engine told of no tool that ran out of memory");
}

test("an engine that is away is told as engine_unreachable", async () => {
  const { default: Docker } = await import("dockerode");
  const away = new DockerDriver({
    docker: new Docker({ socketPath: "/nonexistent/docker.sock", host: undefined }),
    installation: "away",
  });
  await assert.rejects(away.list(AbortSignal.timeout(DEADLINE_MS)), {
    code: "engine_unreachable",
    retryable: true,
  });
});
