import { access, constants } from "node:fs/promises";
import { join } from "node:path";

/** A login shell: bash, and what every image has where there is no bash. `env` is what it needs beside the job's own. */
export async function loginShell(
  job_env: Record<string, string>,
): Promise<{ argv: [string, ...string[]]; env: Record<string, string> }> {
  const bash = await find("bash", job_env.PATH ?? "");
  if (bash === null) return { argv: ["sh", "-l"], env: { SHELL: "/bin/sh" } };
  return {
    argv: ["bash", "-l"],
    env: {
      SHELL: bash,
      // A login shell begins with a path of its own (Debian's /etc/profile), and what the image and the job name would be lost.
      SEALWORK_PATH: job_env.PATH ?? "",
      PROMPT_COMMAND: 'PATH="$PATH:$SEALWORK_PATH"; unset SEALWORK_PATH PROMPT_COMMAND',
    },
  };
}

async function find(program: string, search_path: string): Promise<string | null> {
  for (const folder of search_path.split(":").filter(Boolean)) {
    const path = join(folder, program);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return null;
}
