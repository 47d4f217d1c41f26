import { createHash } from "node:crypto";
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../contract/errors.ts";
import { runCommand } from "./child-command.ts";

/** A download that was cut off (its process ended) is removed by a later one after this long. */
const STALE_MS = 3_600_000;
const PINS = ["package.json", "package-lock.json"] as const;
const Pinned = z.object({ optionalDependencies: z.record(z.string(), z.unknown()).default({}) });

export type PackagesOptions = {
  /** The folder whose package.json and package-lock.json pin the packages. */
  folder: string;
  cache_folder: string;
  /** How npm is started, such as ["npm"]; it runs with the machine's own settings. */
  npm_command: readonly string[];
  signal: AbortSignal;
};

/** Whether a build folder wants npm packages: it pins them in a package.json and a package-lock.json. */
export async function pinsPackages(folder: string): Promise<boolean> {
  const both = await Promise.all(PINS.map((file) => exists(join(folder, file))));
  return both.every(Boolean);
}

/**
 * Gets the npm packages that a build folder pins, for Linux with glibc of this machine's architecture, and returns the folder they lie in,
 * programs of theirs in `.bin`. Their install scripts do not run. Once fetched they stay in the cache folder, under a hash of the lock file.
 * Throws AppError `setup_failed`.
 */
export async function fetchNodePackages(options: PackagesOptions): Promise<string> {
  const pins = await Promise.all(PINS.map((file) => readFile(join(options.folder, file))));
  const cpu = linuxCpu();
  const hash = createHash("sha256").update(pins.join("\0")).digest("hex").slice(0, 16);
  const wanted = join(options.cache_folder, `node-packages-${cpu}-${hash}`);
  if (await exists(wanted)) return join(wanted, "node_modules");
  await mkdir(options.cache_folder, { recursive: true });
  await removeStale(options.cache_folder);
  const partial = await mkdtemp(join(options.cache_folder, "partial-node-packages-"));
  try {
    for (const file of PINS) await copyFile(join(options.folder, file), join(partial, file));
    const target = ["--os=linux", `--cpu=${cpu}`, "--libc=glibc"];
    const install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...target];
    await runCommand([...options.npm_command, ...install], { cwd: partial, signal: options.signal });
    await checkPlatform(partial, cpu);
    await rename(partial, wanted).catch(async (error: unknown) => {
      // Another process may have been faster with the same packages.
      if (!(await exists(wanted))) throw error;
    });
    return join(wanted, "node_modules");
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** npm leaves optional packages out without a word; of those that are pinned for several platforms, such as Node itself, one must be there. */
async function checkPlatform(folder: string, cpu: string): Promise<void> {
  const { optionalDependencies } = Pinned.parse(
    JSON.parse(await readFile(join(folder, "package.json"), "utf8")),
  );
  const names = Object.keys(optionalDependencies);
  if (names.length === 0) return;
  const there = await Promise.all(names.map((name) => exists(join(folder, "node_modules", name))));
  if (there.includes(true)) return;
  throw new AppError({
    code: "setup_failed",
    message: `npm installed none of ${names.join(", ")}, of which the sandbox image needs the one for linux-${cpu}.`,
    hint: "Look at npm's settings (`npm config ls -l`).",
  });
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
