import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { Limits } from "../src/contract/limits.ts";
import type { SandboxLink } from "../src/core/link.ts";
import { DockerDriver } from "../src/drivers/docker.ts";
import { containerName, containerOptions } from "../src/drivers/docker-container.ts";
import { openLinkListener } from "../src/gateway/link.ts";
import type { OutServices } from "../src/gateway/out-services.ts";

/** Nothing that is measured takes this long; it only keeps a broken run from hanging for ever. */
const PATIENCE_MS = 120_000;

/** The engine and the image that all measurements of one run share. */
export type Machine = { docker: Docker; image: string };

export type BenchSandbox = AsyncDisposable & {
  link: SandboxLink;
  /** The container's name at the engine. */
  container: string;
  /** From the request to the driver until the runner had linked. */
  linked_after_ms: number;
};

const NOTHING: OutServices = {
  models: (connection) => connection.destroy(),
  egress: (connection) => connection.destroy(),
};

/**
 * A sandbox without a job, placed by the real driver and spoken to over the real link. `runner_folder` holds a bundled runner with
 * its chunks, which are mounted over the image's; null leaves the image's own. Disposal removes it with its volume.
 */
export async function openBenchSandbox(
  machine: Machine,
  runner_folder: string | null,
): Promise<BenchSandbox> {
  await using opening = new AsyncDisposableStack();
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const installation = `bench-${randomBytes(4).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "sb-"));
  opening.defer(() => rm(folder, { recursive: true, force: true }));
  const driver = opening.use(new DockerDriver({ docker: machine.docker, installation }));
  const links = opening.use(openLinkListener({ folder, log: () => undefined, out: NOTHING }));
  const id = `s${randomBytes(5).toString("hex")}`;
  const begun = performance.now();
  const { folder: link_folder } = await links.open(id, null);
  const spec = {
    id,
    job_id: installation,
    volume: `sealwork-${installation}`,
    image: machine.image,
    link_folder,
    limits: Limits.parse({}),
    runtime: null,
  };
  opening.defer(() => driver.destroy(id, { keep_volume: false }, AbortSignal.timeout(PATIENCE_MS)));
  if (runner_folder !== null) {
    const options = containerOptions(installation, spec);
    const mounts = options.HostConfig?.Mounts ?? [];
    for (const name of ["runner.mjs", "chunks"]) {
      const [Source, Target] = [join(runner_folder, name), join("/opt/sealwork", name)];
      mounts.push({ Type: "bind", Source, Target, ReadOnly: true });
    }
    const labels = { "sealwork.installation": installation, "sealwork.job": installation };
    await machine.docker.createVolume({ Name: spec.volume, Labels: labels });
    await machine.docker.createContainer(options);
  }
  // A container that is there already is only started, with all that the driver does around that.
  await driver.create(spec, signal);
  const link = await links.connect(id, null, signal);
  const linked_after_ms = performance.now() - begun;
  const opened = opening.move();
  return {
    link,
    container: containerName(installation, id),
    linked_after_ms,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
