import type Docker from "dockerode";
import type { ImageRef } from "../core/images.ts";
import type { ContextFile } from "./docker-build-context.ts";

/** A sealwork image that a Dockerfile starts from or copies from: `FROM sealwork/base`, `COPY --from=sealwork/base`. */
const NAMED = /^(\s*(?:FROM|COPY\s+--from=)\s*)sealwork\/([a-z0-9-]+)(?::latest)?(?=\s)/gim;

/** The names, without `sealwork/`, of the images of ours that a build folder's Dockerfile needs. */
export function namedParents(files: readonly ContextFile[]): string[] {
  return [...new Set(Array.from(dockerfileOf(files).matchAll(NAMED), (match) => match[2] ?? ""))];
}

/** The Dockerfile with each of our images under its exact reference, because another process may move `latest` while a build runs. */
export function pinParents(
  files: readonly ContextFile[],
  parents: ReadonlyMap<string, ImageRef>,
): ContextFile[] {
  const pinned = dockerfileOf(files).replace(
    NAMED,
    (line, before: string, name: string) =>
      `${before}${parents.get(name)?.reference ?? line.slice(before.length)}`,
  );
  return files.map((file) => (file.path === "Dockerfile" ? { ...file, content: Buffer.from(pinned) } : file));
}

/** Those of the arguments that a build folder's Dockerfile declares: an engine complains about others. */
export function declaredArguments(
  files: readonly ContextFile[],
  offered: Record<string, string>,
): Record<string, string> {
  const dockerfile = dockerfileOf(files);
  return Object.fromEntries(
    Object.entries(offered).filter(([name]) => new RegExp(`^\\s*ARG\\s+${name}\\b`, "im").test(dockerfile)),
  );
}

/**
 * What an image of the base was made from, without the runner that was laid on top of it: that one of the tags of `repository` that start
 * with `parts-` whose layers it starts with; the image itself when there is none. It stays the same while the runner changes.
 */
export async function withoutRunner(docker: Docker, image: ImageRef, repository: string): Promise<string> {
  const layers = await layersOf(docker, image.reference);
  const candidates = await docker.listImages({
    filters: JSON.stringify({ reference: [`${repository}:parts-*`] }),
  });
  for (const tag of candidates.flatMap(({ RepoTags }) => RepoTags ?? [])) {
    if (!tag.includes(`${repository}:parts-`)) continue;
    const below = await layersOf(docker, tag);
    if (below.length > 0 && below.every((layer, index) => layer === layers[index])) return tag;
  }
  return image.reference;
}

async function layersOf(docker: Docker, reference: string): Promise<readonly string[]> {
  const { RootFS } = await docker.getImage(reference).inspect();
  return RootFS?.Layers ?? [];
}

function dockerfileOf(files: readonly ContextFile[]): string {
  const file = files.find(({ path }) => path === "Dockerfile");
  return file === undefined ? "" : new TextDecoder().decode(file.content);
}
