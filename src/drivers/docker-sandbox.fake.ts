import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import Docker from "dockerode";
import { pack } from "tar-stream";
import type { SandboxSpec } from "../core/driver.ts";
import { readAptSettings } from "./apt-settings.ts";
import { DEBIAN_TRIXIE, ensureDebianImage } from "./docker-base-image.ts";
import { followProgress } from "./docker-progress.ts";

export const docker = new Docker();
const IMAGE = "sealwork-test/sandbox:latest";
const MIB = 1024 * 1024;

/** Stands where Node does: waits for a command in the link folder and becomes it. */
const WAITER = `#!/bin/sh
while [ ! -f /run/sealwork/command ]; do sleep 0.05; done
. /run/sealwork/command
`;

/** Sandboxes of the real engine whose runner is a small shell script; the image stays for the next run. */
export async function openTestSandboxes() {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-driver-"));
  await buildImage(folder);
  let count = 0;
  return {
    async spec(overrides: Partial<SandboxSpec> = {}): Promise<SandboxSpec> {
      count += 1;
      const link_folder = join(folder, `${count}`);
      await mkdir(link_folder, { mode: 0o755 });
      return {
        id: `s${randomBytes(8).toString("hex").slice(0, 15)}`,
        job_id: "0190a8a0-0000-7000-8000-000000000001",
        volume: `sealwork-test-${randomBytes(6).toString("hex")}`,
        image: IMAGE,
        link_folder,
        limits: { cpus: 1, memory_bytes: 128 * MIB, pids: 64 },
        runtime: null,
        ...overrides,
      };
    },
    /** Lets PID 1 of that sandbox go on with this shell script. */
    async run(spec: SandboxSpec, script: string): Promise<void> {
      const file = join(spec.link_folder, "command");
      await writeFile(`${file}.new`, script, { mode: 0o644 });
      await rename(`${file}.new`, file);
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function buildImage(cache_folder: string): Promise<void> {
  const signal = AbortSignal.timeout(300_000);
  const progress = () => {};
  const apt = await readAptSettings(signal);
  await ensureDebianImage({ docker, image: DEBIAN_TRIXIE, cache_folder, apt, progress, signal });
  const context = pack();
  context.entry({ name: "node", mode: 0o755 }, WAITER);
  context.entry(
    { name: "Dockerfile" },
    [
      `FROM ${DEBIAN_TRIXIE.name}`,
      "COPY node /opt/sealwork/bin/node",
      "RUN mkdir -p /home/agent && chown 1000:1000 /home/agent",
      // What a hardened container must not honour.
      'ENTRYPOINT ["/bin/false"]',
      "USER root",
      "VOLUME /declared",
      "HEALTHCHECK --interval=1s CMD true",
      "",
    ].join("\n"),
  );
  context.finalize();
  const answer = await docker.buildImage(Readable.from(context), { t: IMAGE });
  await followProgress(answer, { progress, signal, code: "image_build_failed", what: IMAGE });
}
