import { realpath } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { AppError } from "../../contract/errors.ts";

/**
 * The real path of something in the workspace. Throws AppError `invalid_path` when `path` (relative, `/` between names, empty for the
 * workspace itself) leaves it, by its names or by a symlink, and `not_found` when nothing is there.
 */
export async function realPathInside(workspace: string, path: string): Promise<string> {
  const told = JSON.stringify(path.slice(0, 200));
  const leaves = new AppError({ code: "invalid_path", message: `The path ${told} leaves the workspace.` });
  if (isAbsolute(path) || path.includes("\0") || normalize(path).split("/")[0] === "..") throw leaves;
  const root = await realpath(workspace);
  let real: string;
  try {
    real = await realpath(join(root, path));
  } catch (cause) {
    throw new AppError({ code: "not_found", message: `There is no ${told} in the workspace.`, cause });
  }
  if (real !== root && !real.startsWith(`${root}/`)) throw leaves;
  return real;
}
