import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, script, type TestOrchestrator } from "../e2e/harness.ts";
import { type Summary, settle, summarize } from "./statistics.ts";

const SIZE_BYTES = 1_000_000_000;

/** Times in ms for one file of 1 GB between a file of this machine and one in the same sandbox. */
export type FileTransfer = {
  out: { sealwork: Summary; docker_cp: Summary };
  in: { sealwork: Summary; docker_cp: Summary };
};

/**
 * Through the whole path (curl, HTTP, orchestrator, link, runner) and by `docker cp`, by turns, so that whatever else the machine does falls on
 * both; the first turn is not counted.
 */
export async function measureFileTransfer(
  orchestrator: TestOrchestrator,
  runs: number,
): Promise<FileTransfer> {
  const folder = await mkdtemp(join(tmpdir(), "sb-"));
  try {
    const prompt = script(`head -c ${SIZE_BYTES} /dev/urandom > large; echo ready; sleep 3600`);
    const job_id = await orchestrator.schedule({ prompt });
    await orchestrator.untilPrinted(job_id, "ready");
    const [container = ""] = await orchestrator.containers(job_id);
    const here = join(folder, "large");
    const there = `${container}:/home/agent/workspace`;
    const url = `${orchestrator.url}/jobs/${job_id}/files`;
    const curl = ["-sSf", "-H", `Authorization: Bearer ${orchestrator.token}`, "-o"];
    const commands = {
      out_sealwork: ["curl", ...curl, here, `${url}/large`],
      out_docker: ["docker", "cp", `${there}/large`, here],
      in_sealwork: ["curl", ...curl, "/dev/null", "-T", here, `${url}/sent`],
      in_docker: ["docker", "cp", here, `${there}/copied`],
    };
    type Name = keyof typeof commands;
    const times: Record<Name, number[]> = {
      out_sealwork: [],
      out_docker: [],
      in_sealwork: [],
      in_docker: [],
    };
    for (let turn = 0; turn <= runs; turn += 1) {
      for (const [name, [program = "", ...args]] of Object.entries(commands) as [Name, string[]][]) {
        await settle();
        const begun = performance.now();
        await run(program, args);
        if (turn > 0) times[name].push(performance.now() - begun);
        if (name.startsWith("out")) assert.equal((await stat(here)).size, SIZE_BYTES);
      }
    }
    await orchestrator.cancel(job_id);
    await orchestrator.ended(job_id);
    return {
      out: { sealwork: summarize(times.out_sealwork), docker_cp: summarize(times.out_docker) },
      in: { sealwork: summarize(times.in_sealwork), docker_cp: summarize(times.in_docker) },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
