import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Cgroup } from "../watch/cgroup.ts";
import { toolsAt } from "./tools-fixture.ts";

/** What one call came to, as a test outside reads it. */
export type InsideResult = {
  cause: string;
  exit_code: number | null;
  signal: string | null;
  for_model: string;
  output: string;
  images: string[];
  displayed: { mime: string; blob: string | null; text: string | null }[];
};
export type InsideAnswer = {
  results: InsideResult[];
  notebook: string | null;
  kernel: string | null;
  kernel_mode: number | null;
};

const HOME = "/home/agent";

/** Test support, in a sandbox: calls tools one after the other; the answer is what a test outside prints and reads. */
async function callTools(
  calls: readonly [string, object][],
  more_env: Record<string, string>,
): Promise<InsideAnswer> {
  const cgroup = new Cgroup();
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  Object.assign(env, more_env);
  await using tools = await toolsAt(
    { reaper_path: "/opt/sealwork/bin/reaper", folder: "/tmp" },
    { home: HOME, env, oomKills: () => cgroup.oomKills() },
  );
  const results: InsideResult[] = [];
  for (const [name, input] of calls) {
    const {
      cause,
      exit_code,
      signal,
      for_model,
      output,
      images = [],
      events,
    } = await tools.call(name, input);
    const displayed = events.flatMap((event) => (event.type === "step.displayed" ? [event.data] : []));
    const mimes = images.map((image) => image.mime);
    results.push({ cause, exit_code, signal, for_model, output, images: mimes, displayed });
  }
  const kernel_file = join(HOME, ".sealwork/kernel.json");
  return {
    results,
    notebook: await readFile(join(HOME, "workspace/.sealwork/session.ipynb"), "utf8").catch(() => null),
    kernel: await readFile(kernel_file, "utf8").catch(() => null),
    kernel_mode: await stat(kernel_file).then(
      (found) => found.mode & 0o777,
      () => null,
    ),
  };
}

Object.assign(globalThis, { callTools });
