import type { Check } from "../contract/api.ts";
import type { Endpoint, LocalServer } from "./local-server.ts";

/** A LocalServer for tests: it starts nothing and keeps what it was asked. */
export function createFakeLocalServer(
  endpoint: Endpoint | null,
  checks: Check[] = [],
): LocalServer & { calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    async ensure(progress) {
      calls.push("ensure");
      progress.step("Looking for the server");
      progress.done();
      return endpoint ?? { url: "http://127.0.0.1:9", token: null };
    },
    async find() {
      calls.push("find");
      return endpoint;
    },
    async serve(options, _progress, signal) {
      calls.push(`serve ${options.host} ${options.port} ${options.no_auth}`);
      if (signal.aborted) return;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
    async stop() {
      calls.push("stop");
      return endpoint === null ? { stopped: false, pid: null } : { stopped: true, pid: 4242 };
    },
    async setup(progress) {
      calls.push("setup");
      progress.step("Container engine");
      progress.line("found one");
      progress.done();
    },
    async doctor() {
      calls.push("doctor");
      return checks;
    },
  };
}
