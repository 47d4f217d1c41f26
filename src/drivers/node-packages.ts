import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../contract/errors.ts";
import { runCommand } from "./child-command.ts";

/** A download that was cut off (its process ended) is removed by a later one after this long. */
const STALE_MS = 3_600_000;

export type PackagesOptions = {
  /** The folder whose package.json and package-lock.json pin the packages. */
  folder: string;
  cache_folder: string;
  /** How npm is started, such as ["npm"]; it runs with the machine's own settings. */
  npm_command: readonly string[];
  signal: AbortSignal;
};

/**
 * Gets the npm packages that hold the programs of the base image (Node for Linux of this machine's architecture, npm) and returns the folder they lie in.
 * Once fetched they stay in the cache folder, under a hash of the lock file. Throws AppError `setup_failed`.
 */
export async function fetchNodePackages(options: PackagesOptions): Promise<string> {
  const lock = await readFile(join(options.folder, "package-lock.json"));
  const cpu = linuxCpu();
  const hash = createHash("sha256").update(lock).digest("hex").slice(0, 16);
  const wanted = join(options.cache_folder, `node-packages-${cpu}-${hash}`);
  if (await exists(wanted)) return join(wanted, "node_modules");
  await mkdir(options.cache_folder, { recursive: true });
  await removeStale(options.cache_folder);
  const partial = await mkdtemp(join(options.cache_folder, "partial-node-packages-"));
  try {
    for (const file of ["package.json", "package-lock.json"]) {
      await copyFile(join(options.folder, file), join(partial, file));
    }
    const install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--os=linux", `--cpu=${cpu}`];
    await runCommand([...options.npm_command, ...install], { cwd: partial, signal: options.signal });
    try {
      await access(join(partial, "node_modules", `node-linux-${cpu}`, "bin", "node"), constants.R_OK);
    } catch (cause) {
      const message = `npm did not install the package node-linux-${cpu}, which holds Node for the sandbox.`;
      throw new AppError({
        code: "setup_failed",
        message,
        hint: "Look at npm's settings (`npm config ls -l`).",
        cause,
      });
    }
    await rename(partial, wanted).catch(async (error: unknown) => {
      // Another process may have been faster with the same packages.
      if (!(await exists(wanted))) throw error;
    });
    return join(wanted, "node_modules");
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** The architecture of this machine, and so of its engine, as npm writes it. */
export function linuxCpu(): "x64" | "arm64" {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new AppError({
    code: "not_available",
    message: `There is no sandbox image for the processor ${process.arch}.`,
  });
}

async function removeStale(cache_folder: string): Promise<void> {
  for (const name of await readdir(cache_folder)) {
    if (!name.startsWith("partial-") && !name.startsWith("debian-")) continue;
    const path = join(cache_folder, name);
    if (Date.now() - (await stat(path)).mtimeMs > STALE_MS) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
