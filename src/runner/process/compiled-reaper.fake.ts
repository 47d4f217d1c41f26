import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Test support: the real reaper, compiled for this machine, and a folder for the test, both removed on disposal. */
export async function compileReaper(): Promise<AsyncDisposable & { path: string; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  const path = join(folder, "reaper");
  const source = join(import.meta.dirname, "../../../images/base/reaper.c");
  await promisify(execFile)("cc", ["-O1", "-o", path, source]);
  return {
    path,
    folder,
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
