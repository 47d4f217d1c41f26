import type Docker from "dockerode";
import type { Check } from "../contract/api.ts";

/** What `GET /info` says of the kernel's means to hold a limit (Docker Engine API 1.41 and later). */
const LIMITS = [
  ["MemoryLimit", "memory"],
  ["CpuCfsQuota", "cpus"],
  ["PidsLimit", "pids"],
] as const;

/** Whether this engine can hold a sandbox's limits and seal. Throws what the engine's client throws when it does not answer. */
export async function checkEngine(docker: Docker, runtime: string | null): Promise<Check[]> {
  const info: Record<string, unknown> = await docker.info();
  const checks: Check[] = [];
  const missing = LIMITS.filter(([field]) => info[field] === false).map(([, limit]) => limit);
  checks.push(
    missing.length === 0
      ? ok("limits", "memory, cpus and pids can be limited")
      : failed(
          "limits",
          `this engine cannot limit: ${missing.join(", ")}`,
          "Enable the cgroup controllers for the engine; rootless engines need delegation by systemd.",
        ),
  );
  const security = Array.isArray(info.SecurityOptions) ? info.SecurityOptions.map(String) : [];
  checks.push(
    security.some((option) => option.includes("seccomp"))
      ? ok("seccomp", "the engine filters system calls")
      : warning(
          "seccomp",
          "the engine has no seccomp profile, so system calls are not filtered",
          "Use an engine and a kernel with seccomp.",
        ),
  );
  if (runtime !== null) {
    const runtimes = Object.keys((info.Runtimes as object | undefined) ?? {});
    checks.push(
      runtimes.includes(runtime)
        ? ok("runtime", `${runtime} is there`)
        : failed(
            "runtime",
            `the engine has no runtime ${runtime}; it has: ${runtimes.join(", ")}`,
            "Register it with the engine, or change `runtime` in config.json.",
          ),
    );
  }
  return checks;
}

function ok(name: string, message: string): Check {
  return { name, state: "ok", message, hint: null };
}
function warning(name: string, message: string, hint: string): Check {
  return { name, state: "warning", message, hint };
}
function failed(name: string, message: string, hint: string): Check {
  return { name, state: "failed", message, hint };
}
