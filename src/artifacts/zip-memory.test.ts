import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Packs that many MiB, a quarter of them noise, with a patch, and prints the process's largest memory in KiB. */
const PROGRAM = `
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openFolderArtifacts } from ${JSON.stringify(new URL("./folder.ts", import.meta.url).href)};
import { pack } from ${JSON.stringify(import.meta.resolve("tar-stream"))};
const mebibytes = Number(process.argv[1]);
const folder = await mkdtemp(join(tmpdir(), "sealwork-memory-"));
const artifacts = await openFolderArtifacts({ folder });
const noise = randomBytes(1024 * 1024);
const text = Buffer.alloc(1024 * 1024, "the quick brown fox ");
const tar = pack();
const sending = (async () => {
  const sink = tar.entry({ name: "large", size: mebibytes * 1024 * 1024 });
  for (let n = 0; n < mebibytes; n += 1)
    if (!sink.write(n % 4 === 0 ? noise : text)) await new Promise((resolve) => sink.once("drain", resolve));
  sink.end();
  tar.finalize();
})();
const workspace = Readable.from(tar, { objectMode: false });
const job = randomUUID();
const artifact = await artifacts.writeZip(job, workspace, () => [], { patch: true }, new AbortController().signal);
await sending;
if (artifact.files !== 2) throw new Error("not packed");
await rm(folder, { recursive: true });
console.log(process.resourceUsage().maxRSS);
`;

async function peakOfPacking(mebibytes: number): Promise<number> {
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", PROGRAM, String(mebibytes)]);
  return Number(stdout);
}

test("memory does not grow with the size of the workspace", async () => {
  const [small, large] = [await peakOfPacking(2), await peakOfPacking(80)];
  assert.ok(small > 0 && large < small * 1.6, `${small} KiB for 2 MiB, ${large} KiB for 80 MiB`);
});
