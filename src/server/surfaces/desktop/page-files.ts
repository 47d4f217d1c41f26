import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

export type PageFile = { body: Buffer; content_type: string; cache_control: string };

const CONTENT_TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};
/** What changes with a release only is not asked for again while a tab lives. */
const KEPT = "private, max-age=600";
const PAGE = join(import.meta.dirname, "page");

/** The files of the viewer's page by their paths: ours, and those of noVNC, unchanged and with their license, under `/novnc/`. */
export async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = new Map<string, PageFile>();
  const add = async (path: string, file: string, cache_control: string): Promise<void> => {
    const content_type = CONTENT_TYPES[extname(file)];
    if (content_type !== undefined)
      files.set(path, { body: await readFile(file), content_type, cache_control });
  };
  for (const name of await readdir(PAGE))
    await add(name === "index.html" ? "/" : `/${name}`, join(PAGE, name), "no-cache");
  const novnc = dirname(dirname(fileURLToPath(import.meta.resolve("@novnc/novnc"))));
  await add("/novnc/LICENSE.txt", join(novnc, "LICENSE.txt"), KEPT);
  for (const folder of ["core", "vendor"])
    for (const entry of await readdir(join(novnc, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      await add(posix.join("/novnc", file.slice(novnc.length)), file, KEPT);
    }
  return files;
}
