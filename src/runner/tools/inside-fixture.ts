import { join } from "node:path";
import { build } from "esbuild";
import { runHardened, testBase } from "../../drivers/docker-images.fake.ts";
import type { InsideAnswer } from "./tools-inside.fake.ts";

let bundled: Promise<string> | null = null;

/** The tools as one module, to be sent into a container. */
function bundle(): Promise<string> {
  bundled ??= build({
    entryPoints: [join(import.meta.dirname, "tools-inside.fake.ts")],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node26",
    logLevel: "silent",
    outfile: "inside.mjs",
  }).then((result) => result.outputFiles[0]?.text ?? "");
  return bundled;
}

/** Calls tools in a sandbox of the base image, one after the other, under the hardening that jobs have. */
export async function inside(
  calls: readonly [string, object][],
  options: { memory?: string; pids?: number; env?: Record<string, string> } = {},
): Promise<InsideAnswer> {
  const { reference } = await testBase();
  const args = `${JSON.stringify(calls)}, ${JSON.stringify(options.env ?? {})}`;
  const code = `${await bundle()}\nconsole.log(JSON.stringify(await callTools(${args})));`;
  const output = await runHardened(reference, ["/usr/local/bin/node", "--input-type=module", "-"], {
    input: code,
    home: true,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.pids === undefined ? {} : { pids: options.pids }),
  });
  return JSON.parse(output);
}
