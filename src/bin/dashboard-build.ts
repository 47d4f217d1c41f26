import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../cli/progress.ts";
import { AppError } from "../contract/errors.ts";
import { runCommand } from "../drivers/child-command.ts";
import { isAlive } from "./is-alive.ts";

/** What a build is made from: folders with all that is in them, and files. */
const INPUTS = ["web", "src/contract", "examples", "tsconfig.json", "package-lock.json"];
/** Parts of those that change no build. */
const LEFT_OUT = /(^web\/dist|\/node_modules|\.test\.tsx?)$/;
const HASH_CHARS = 16;
/** Builds beside the current one that stay: servers that were started from an older state of the checkout still show theirs. */
const OLDER_KEPT = 2;
const BUILT = /^[0-9a-f]{16}$/;
const BUILDING = /^building-(\d+)-/;

export type DashboardBuildOptions = {
  /** The checkout. */
  installation: string;
  progress: Progress;
  signal: AbortSignal;
  /** The command that builds into the folder that is put behind it. */
  command?: readonly string[];
};

/**
 * The folder with the dashboard as the checkout has it now, built when it is not there yet. Each build lies in a folder named after the
 * content of its inputs and appears whole, so it may be interrupted, and made twice at once. Throws AppError `setup_failed`.
 */
export async function buildDashboard(options: DashboardBuildOptions): Promise<string> {
  const { installation, progress, signal } = options;
  const builds = join(installation, "web/dist");
  const built = join(builds, inputsHash(installation));
  if (existsSync(join(built, "index.html"))) return built;
  progress.step("Building the dashboard");
  const temporary = join(builds, `building-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    mkdirSync(temporary, { recursive: true });
    const command = options.command ?? [
      process.execPath,
      join(installation, "node_modules/vite/bin/vite.js"),
      "build",
      "web",
      "--logLevel",
      "warn",
      "--outDir",
    ];
    await runCommand([...command, temporary], {
      cwd: installation,
      signal,
      on_line: (line) => progress.line(line),
    });
    await rename(temporary, built).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was faster, with the same content.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } catch (error) {
    signal.throwIfAborted();
    throw notBuilt(error, installation);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await removeStale(builds, built);
  return built;
}

/** A hash over the names and contents of all that a build is made from. Read whole each time: that takes a few ms. */
export function inputsHash(installation: string): string {
  const hash = createHash("sha256");
  for (const path of INPUTS.flatMap((input) => filesOf(installation, input))) {
    const content = readFileSync(join(installation, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex").slice(0, HASH_CHARS);
}

/** The files below a path, or itself, sorted. */
function filesOf(installation: string, path: string): string[] {
  if (!statSync(join(installation, path)).isDirectory()) return [path];
  const files: string[] = [];
  for (const entry of readdirSync(join(installation, path), { withFileTypes: true })) {
    const inner = `${path}/${entry.name}`;
    if (LEFT_OUT.test(inner)) continue;
    if (entry.isDirectory()) files.push(...filesOf(installation, inner));
    else files.push(inner);
  }
  return files.sort();
}

/** Removes what builds left behind that were killed, and all but the newest of the others. */
async function removeStale(builds: string, current: string): Promise<void> {
  const remove = (name: string) => rm(join(builds, name), { recursive: true, force: true });
  const older: { name: string; made_at: number }[] = [];
  for (const entry of readdirSync(builds, { withFileTypes: true })) {
    const pid = BUILDING.exec(entry.name)?.[1];
    if (pid !== undefined) {
      if (!isAlive(Number(pid))) await remove(entry.name);
    } else if (BUILT.test(entry.name) && join(builds, entry.name) !== current)
      older.push({ name: entry.name, made_at: statSync(join(builds, entry.name)).mtimeMs });
  }
  older.sort((a, b) => b.made_at - a.made_at);
  for (const { name } of older.slice(OLDER_KEPT)) await remove(name);
}

function notBuilt(cause: unknown, installation: string): AppError {
  const what = cause instanceof Error ? cause.message : String(cause);
  const code = (cause as NodeJS.ErrnoException).code;
  const hint =
    code === "EACCES" || code === "EROFS" || code === "EPERM"
      ? `Run \`sealwork setup\` once as the owner of ${installation}.`
      : "Mend what is said above, then run `sealwork setup`. Everything but the dashboard works without it.";
  return new AppError({
    code: "setup_failed",
    message: `The dashboard could not be built. ${what}`,
    hint,
    cause,
  });
}
