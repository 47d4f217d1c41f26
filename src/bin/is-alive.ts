import { readFileSync } from "node:fs";

/** A zombie counts as ended: where PID 1 reaps nothing, as in many containers, it stays one for ever. Source: proc_pid_stat(5). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // It ended just now, or this is no Linux: there the signal alone tells.
    return process.platform !== "linux";
  }
}
