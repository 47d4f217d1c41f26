import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { AppError } from "../../../contract/errors.ts";
import type { ProcessRequest } from "../../../contract/surfaces.ts";
import type { SurfacePlace } from "../place.ts";

/** Where a process of a person runs, and with what environment. Throws AppError `invalid_path` or `invalid_request` for what cannot be. */
export async function processPlace(
  { cwd, env, command }: Pick<ProcessRequest, "cwd" | "env" | "command">,
  place: Pick<SurfacePlace, "home" | "workspace" | "env">,
): Promise<{ cwd: string; env: Record<string, string> }> {
  for (const [name, value] of Object.entries(env)) {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !value.includes("\0")) continue;
    throw invalid(`${JSON.stringify(name)} cannot be a variable, or its value has a zero byte`);
  }
  if (command?.some((word) => word.includes("\0"))) throw invalid("a word of the command has a zero byte");
  return {
    cwd: cwd === null ? place.workspace : await folderInside(cwd, place),
    env: { ...place.env, ...env },
  };
}

async function folderInside(
  cwd: string,
  { home, workspace }: Pick<SurfacePlace, "home" | "workspace">,
): Promise<string> {
  const told = JSON.stringify(cwd.slice(0, 200));
  let real: string;
  try {
    real = await realpath(resolve(workspace, cwd));
  } catch (cause) {
    throw new AppError({
      code: "invalid_path",
      message: `There is no folder ${told} in the sandbox.`,
      cause,
    });
  }
  const root = await realpath(home);
  if (real === root || real.startsWith(`${root}/`)) return real;
  throw new AppError({ code: "invalid_path", message: `The folder ${told} is outside the home folder.` });
}

function invalid(why: string): AppError {
  return new AppError({ code: "invalid_request", message: `The process cannot be started: ${why}.` });
}
