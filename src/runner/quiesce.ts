import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../contract/errors.ts";

const ROUNDS_MAX = 200;
const ROUND_MS = 20;

/**
 * Kills every process of the sandbox but this one, until none is left but zombies. Does nothing unless this process is PID 1: anywhere else
 * the same call would kill everything that its user runs. Throws AppError `internal` when some process does not die.
 */
export async function killAllOthers(): Promise<void> {
  if (process.pid !== 1) return;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    killOnce();
    if (!(await othersLive())) return;
    await sleep(ROUND_MS);
  }
  throw new AppError({ code: "internal", message: "Some process of the sandbox does not end." });
}

function killOnce(): void {
  if (process.pid !== 1) return;
  try {
    process.kill(-1, "SIGKILL");
  } catch (error) {
    // ESRCH says that there is no other process.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function othersLive(): Promise<boolean> {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || name === "1") continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => null);
    // The name in brackets is free text; the state follows its last bracket.
    const state = stat?.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    if (state !== undefined && state !== "Z" && state !== "X") return true;
  }
  return false;
}
