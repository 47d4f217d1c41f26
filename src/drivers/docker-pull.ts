import type Docker from "dockerode";
import { AppError } from "../contract/errors.ts";
import { followProgress } from "./docker-progress.ts";

/** A pull that says nothing for this long is given up: where no registry can be reached, names may take minutes to fail. */
const SILENCE_MS = 15_000;

/** What the engine knows about an image, null when it has none of that name. Throws AppError `engine_unreachable`. */
export async function inspectImage(
  docker: Docker,
  name: string,
  signal: AbortSignal,
): Promise<{ id: string; tags: string[] } | null> {
  try {
    const found = await docker.getImage(name).inspect();
    return { id: found.Id, tags: found.RepoTags ?? [] };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return null;
    throw new AppError({
      code: "engine_unreachable",
      message: `The container engine did not say whether it has the image ${name}.`,
      hint: "Run `sealwork doctor`.",
      cause: error,
    });
  }
}

/** Pulls an image; false when no registry gave it (unknown, unreachable, or silent for 15 s). */
export async function pullImage(
  docker: Docker,
  name: string,
  options: { progress: (line: string) => void; signal: AbortSignal },
): Promise<boolean> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const signal = AbortSignal.any([options.signal, silence.signal]);
  try {
    const reference = /(:[^/]+|@[^/]+)$/.test(name) ? name : `${name}:latest`;
    const stream = await docker.pull(reference, { abortSignal: signal });
    await followProgress(stream, {
      what: `Pulling ${name}`,
      code: "image_missing",
      progress: options.progress,
      signal,
      on_message: () => timer.refresh(),
    });
    return (await inspectImage(docker, name, options.signal)) !== null;
  } catch {
    // Whatever kept the registry from giving the image: the caller has another way, or says which image is missing.
    options.signal.throwIfAborted();
    return false;
  } finally {
    clearTimeout(timer);
  }
}
