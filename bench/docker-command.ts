import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs the docker command line client and resolves, when it has exited, with the ms from its start to the first byte of its output. */
export async function firstOutputOfDocker(args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const child = spawn("docker", args, { stdio: ["ignore", "pipe", "pipe"] });
  let first: number | null = null;
  let errors = "";
  child.stdout.on("data", () => {
    first ??= performance.now() - begun;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  const [code] = await once(child, "close");
  if (first === null)
    throw new Error(`docker ${args.join(" ")} exited with ${code}, without output: ${errors}`);
  return first;
}
