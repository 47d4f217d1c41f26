import { readdir } from "node:fs/promises";
import { join } from "node:path";

const ENTRIES_MAX = 80;
const DEPTH_MAX = 2;

/** What lies in the workspace before the work begins, a path in a line; folders end with a slash. Empty for an empty one. */
export async function workspaceListing(workspace: string): Promise<string> {
  const lines: string[] = [];
  const folders: { path: string; depth: number }[] = [{ path: "", depth: 1 }];
  let more = false;
  for (let next = folders.shift(); next !== undefined; next = folders.shift()) {
    const { path, depth } = next;
    const entries = await readdir(join(workspace, path), { withFileTypes: true }).catch(() => []);
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (lines.length === ENTRIES_MAX) more = true;
      if (more) break;
      const name = `${path}${entry.name}`;
      lines.push(entry.isDirectory() ? `${name}/` : name);
      const hidden = entry.name.startsWith(".") || entry.name === "node_modules";
      if (entry.isDirectory() && !hidden && depth < DEPTH_MAX)
        folders.push({ path: `${name}/`, depth: depth + 1 });
    }
  }
  return lines.concat(more ? ["… and more"] : []).join("\n");
}
