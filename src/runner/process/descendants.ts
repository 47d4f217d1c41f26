import { readdir, readFile } from "node:fs/promises";

/** Ticks of /proc in a second, for programs on every architecture of Linux (proc_pid_stat(5), USER_HZ). */
const TICKS_PER_S = 100;

type Process = { pid: number; parent: number; started_ticks: number };

/** The moment as /proc tells the start of processes, in ticks since boot. */
export async function processClock(): Promise<number> {
  const uptime_s = Number((await readFile("/proc/uptime", "utf8")).split(" ")[0]);
  return Math.floor(uptime_s * TICKS_PER_S);
}

/** Kills what came from `ancestor` (itself not) at or after that moment of `processClock`; returns to how many the signal was sent. */
export async function killDescendantsSince(ancestor: number, since_ticks: number): Promise<number> {
  const all = await processes();
  const found = new Set([ancestor]);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  let sent = 0;
  for (const { pid, started_ticks } of all) {
    if (pid === ancestor || !found.has(pid) || started_ticks < since_ticks) continue;
    try {
      process.kill(pid, "SIGKILL");
      sent += 1;
    } catch {
      // It ended meanwhile.
    }
  }
  return sent;
}

async function processes(): Promise<Process[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(names.map((name) => readFile(`/proc/${name}/stat`, "utf8").catch(() => "")));
  return all.flatMap((text, index) => {
    // The name of a program is free text: only what follows its last bracket can be trusted.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (fields.length < 20) return [];
    return [{ pid: Number(names[index]), parent: Number(fields[1]), started_ticks: Number(fields[19]) }];
  });
}
