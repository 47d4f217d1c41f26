import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { extract } from "tar-stream";
import { z } from "zod";
import { inspectImage } from "./docker-pull.ts";

/** images/base/Dockerfile writes it. */
const PATH_INSIDE = "/opt/sealwork/registries.json";
const FILE_MAX_BYTES = 64 * 1024;

/** The registries that an image's own npm and pip go to when nobody tells them otherwise; the first of each is its index. */
export const ImageRegistries = z.object({
  npm: z.array(z.url()).max(20),
  pip: z.array(z.url()).max(20),
});
export type ImageRegistries = z.infer<typeof ImageRegistries>;

/**
 * Reads them out of an image without running anything in it. The answer is kept in the cache folder by the image's digest.
 * Null for an image that is not there or does not say. Throws what the engine says.
 */
export async function readImageRegistries(options: {
  docker: Docker;
  image: string;
  cache_folder: string;
  signal: AbortSignal;
}): Promise<ImageRegistries | null> {
  const { docker, image, cache_folder, signal } = options;
  const found = await inspectImage(docker, image, signal);
  if (found === null) return null;
  const digest = found.id.replace("sha256:", "").slice(0, 16);
  const cached = join(cache_folder, `image-registries-${digest}.json`);
  const known = parse(await readFile(cached, "utf8").catch(() => ""));
  if (known !== null) return known;
  const read = parse(await readFromImage(docker, found.id, digest));
  if (read === null) return null;
  await mkdir(cache_folder, { recursive: true });
  await writeFile(`${cached}.${process.pid}`, JSON.stringify(read));
  await rename(`${cached}.${process.pid}`, cached);
  return read;
}

/** An engine gives files of containers only, so there is one for a moment that never starts. */
async function readFromImage(docker: Docker, id: string, digest: string): Promise<string> {
  const container = await docker.createContainer({
    name: `sealwork-registries-${digest}-${process.pid}-${Date.now()}`,
    Image: id,
    Entrypoint: [],
    Cmd: ["none"],
    NetworkDisabled: true,
  });
  try {
    const archive = await container.getArchive({ path: PATH_INSIDE });
    return await onlyFile(Readable.from(archive));
  } catch (error) {
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return "";
    throw error;
  } finally {
    await container.remove({ force: true });
  }
}

async function onlyFile(archive: Readable): Promise<string> {
  const entries = archive.pipe(extract());
  archive.on("error", (error) => entries.destroy(error));
  let text = "";
  for await (const entry of entries) {
    for await (const chunk of entry) {
      if (text.length < FILE_MAX_BYTES) text += String(chunk);
    }
  }
  return text;
}

function parse(text: string): ImageRegistries | null {
  try {
    return ImageRegistries.parse(JSON.parse(text));
  } catch {
    // Nothing kept yet, or an image that was made before this file was.
    return null;
  }
}
