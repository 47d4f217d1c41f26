import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type ContextFile, hashContext, readFolder, statFolder } from "./docker-build-context.ts";
import { namedParents } from "./docker-parents.ts";
import { linuxCpu } from "./node-packages.ts";
import { bundleRunner } from "./runner-bundle.ts";

/** Counts up when the way of building changes without a change in any file that goes in. */
const RECIPE = "2";
/** Where in the build context the runner lies, as it does below /opt/sealwork. */
export const RUNNER_FOLDER = "runner";
const Stamp = z.object({ sources: z.array(z.string()), fingerprint: z.string(), hash: z.string() });

/** What an image is made of; `hash` covers all of it, `parts_hash` all but the runner. `parents` are the names of sealwork images (`base`) that its Dockerfile starts from or copies from. */
export type ImageInputs = { files: ContextFile[]; hash: string; parts_hash: string; parents: string[] };
export type InputsOptions = {
  folder: string;
  /** The runner to bundle and add below `runner/`; null when the image has its runner from another one. */
  runner: { root: string; entry: string } | null;
  cache_folder: string;
};

/** Reads and hashes all that goes into an image, and notes what the files looked like for `quickHash`. */
export async function readInputs(options: InputsOptions): Promise<ImageInputs> {
  const { folder, runner } = options;
  const folder_before = await statFolder(folder);
  const files = await readFolder(folder);
  const parents = namedParents(files);
  const parts_hash = hashContext(files, [RECIPE, linuxCpu()]);
  let sources: string[] = [];
  let sources_before: string[] = [];
  if (runner !== null) {
    const bundle = await bundleRunner(runner.root, runner.entry);
    sources = bundle.inputs;
    sources_before = await statFiles(sources);
    files.push({ path: `${RUNNER_FOLDER}/runner.mjs`, executable: false, content: bundle.code });
    for (const chunk of bundle.chunks) files.push({ ...chunk, path: `${RUNNER_FOLDER}/${chunk.path}` });
  }
  const hash = hashContext(files, [RECIPE, linuxCpu()]);
  const fingerprint = digest([...folder_before, ...sources_before]);
  const path = stampPath(options);
  await mkdir(options.cache_folder, { recursive: true });
  await writeFile(`${path}.${process.pid}`, JSON.stringify({ sources, fingerprint, hash }));
  await rename(`${path}.${process.pid}`, path);
  return { files, hash, parts_hash, parents };
}

/** The hash of `readInputs` without reading or bundling anything, when no file has changed since; else null. Takes a few ms. */
export async function quickHash(options: InputsOptions): Promise<string | null> {
  try {
    const stamp = Stamp.parse(JSON.parse(await readFile(stampPath(options), "utf8")));
    const now = [...(await statFolder(options.folder)), ...(await statFiles(stamp.sources))];
    return digest(now) === stamp.fingerprint ? stamp.hash : null;
  } catch {
    // A note that is missing or damaged, or a source that is gone: the long way finds out what there is to say.
    return null;
  }
}

async function statFiles(paths: readonly string[]): Promise<string[]> {
  const all = await Promise.all(paths.map((path) => stat(path)));
  return all.map((status, index) => `${paths[index]}\0${status.size}\0${status.mtimeMs}\0${status.ino}`);
}

function stampPath({ folder, runner, cache_folder }: InputsOptions): string {
  const key = digest([folder, runner?.root ?? "", runner?.entry ?? "", RECIPE]);
  return join(cache_folder, `image-inputs-${key.slice(0, 16)}.json`);
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}
