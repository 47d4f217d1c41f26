import { readFile } from "node:fs/promises";
import { join } from "node:path";

export const CGROUP_FOLDER = "/sys/fs/cgroup";

export type Usage = { cpu_ms: number; memory_bytes: number; memory_peak_bytes: number; pids: number };

/**
 * What the kernel counts for this sandbox, from cgroup v2 or v1 (Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
 * A value that this kernel or runtime does not have is 0.
 */
export class Cgroup {
  readonly #folder: string;

  constructor(folder = CGROUP_FOLDER) {
    this.#folder = folder;
  }

  async usage(): Promise<Usage> {
    const [cpu_v2, cpu_v1, memory_bytes, memory_peak_bytes, pids] = await Promise.all([
      this.#field("cpu.stat", "usage_usec"),
      this.#number("cpuacct/cpuacct.usage", "cpu,cpuacct/cpuacct.usage"),
      this.#number("memory.current", "memory/memory.usage_in_bytes"),
      this.#number("memory.peak", "memory/memory.max_usage_in_bytes"),
      this.#number("pids.current", "pids/pids.current"),
    ]);
    return {
      cpu_ms: cpu_v2 === null ? Math.round((cpu_v1 ?? 0) / 1e6) : Math.round(cpu_v2 / 1e3),
      memory_bytes: memory_bytes ?? 0,
      memory_peak_bytes: memory_peak_bytes ?? memory_bytes ?? 0,
      pids: pids ?? 0,
    };
  }

  /** Processes that the kernel killed because the memory limit was reached; null where nothing counts them. */
  async oomKills(): Promise<number | null> {
    const v2 = await this.#field("memory.events", "oom_kill");
    return v2 ?? this.#field("memory/memory.oom_control", "oom_kill");
  }

  async #number(...names: string[]): Promise<number | null> {
    for (const name of names) {
      const text = (await this.#text(name))?.trim() ?? "";
      if (/^\d+$/.test(text)) return Number(text);
    }
    return null;
  }

  async #field(name: string, field: string): Promise<number | null> {
    const text = await this.#text(name);
    const value = text?.match(new RegExp(`^${field} (\\d+)$`, "m"))?.[1];
    return value === undefined ? null : Number(value);
  }

  async #text(name: string): Promise<string | null> {
    try {
      return await readFile(join(this.#folder, name), "utf8");
    } catch {
      return null;
    }
  }
}
