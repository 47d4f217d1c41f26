import { isAbsolute, join, resolve } from "node:path";
import type Docker from "dockerode";
import { AppError } from "../contract/errors.ts";
import type { ImageRef, ImageSource } from "../core/images.ts";
import { type AptSettings, readAptSettings } from "./apt-settings.ts";
import { DEBIAN_TRIXIE, ensureDebianImage } from "./docker-base-image.ts";
import { packContext } from "./docker-build-context.ts";
import { declaredArguments, pinParents, withoutRunner } from "./docker-parents.ts";
import { followProgress } from "./docker-progress.ts";
import { inspectImage, pullImage } from "./docker-pull.ts";
import {
  type ImageInputs,
  type InputsOptions,
  quickHash,
  RUNNER_FOLDER,
  readInputs,
} from "./image-inputs.ts";
import { fetchNodePackages, pinsPackages } from "./node-packages.ts";

export type DockerImagesOptions = {
  docker: Docker;
  /** The installation: `images/` and the sources of the runner lie below it, and relative build folders start there. */
  root: string;
  /** Where downloads and notes between runs are kept; may be removed at any time. */
  cache_folder: string;
  /** The runner's first module. */
  runner_entry: string;
  /** How npm is started, such as ["npm"]. */
  npm_command: readonly string[];
};

type Template = Parameters<ImageSource["ensure"]>[0];
type Progress = (line: string) => void;
type Work = {
  result: Promise<ImageRef>;
  listeners: Set<{ progress: Progress }>;
  controller: AbortController;
};

/**
 * The images of a Docker engine. With a build folder the tag is a hash of all inputs, so that an image whose inputs have not changed is found in a few
 * ms; `:latest` points to the newest, for other people's Dockerfiles. A build goes on until the last of its callers has aborted.
 */
export function createDockerImages(options: DockerImagesOptions): ImageSource {
  const active = new Map<string, Work>();
  /** The base holds the runner, which has to speak with this very process: it stays, whatever becomes of the sources meanwhile. */
  let base: ImageRef | null = null;

  function start(key: string, template: Template): Work {
    const controller = new AbortController();
    const listeners: Work["listeners"] = new Set();
    const say = (line: string) => {
      for (const { progress } of listeners) progress(line);
    };
    const result =
      template.build === null
        ? ensureReady(options.docker, template, say, controller.signal)
        : ensureBuilt(template, template.build, say, controller.signal);
    const work = { result, listeners, controller };
    const forget = () => {
      if (active.get(key) === work) active.delete(key);
    };
    result.then(forget, forget);
    active.set(key, work);
    return work;
  }

  async function ensure(template: Template, progress: Progress, signal: AbortSignal): Promise<ImageRef> {
    signal.throwIfAborted();
    const key = `${template.image}\0${template.build ?? ""}`;
    const work = active.get(key) ?? start(key, template);
    const listener = { progress };
    work.listeners.add(listener);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([work.result, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
      work.listeners.delete(listener);
      if (work.listeners.size === 0) {
        work.controller.abort();
        if (active.get(key) === work) active.delete(key);
      }
    }
  }

  async function ensureBuilt(
    template: Template,
    build: string,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<ImageRef> {
    const { docker, root } = options;
    const folder = isAbsolute(build) ? build : resolve(root, build);
    const is_base = folder === join(root, "images", "base");
    if (!is_base) return ensureFolder(template, { folder, is_base }, progress, signal);
    if (base === null || (await inspectImage(docker, base.reference, signal)) === null)
      base = await ensureFolder(template, { folder, is_base }, progress, signal);
    return base;
  }

  async function ensureFolder(
    template: Template,
    { folder, is_base }: { folder: string; is_base: boolean },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<ImageRef> {
    const { docker, root, cache_folder } = options;
    const runner = is_base ? { root, entry: options.runner_entry } : null;
    const inputs_options: InputsOptions = { folder, runner, cache_folder };
    const repository = template.image.replace(/:[^/]*$/, "");
    const known = await quickHash(inputs_options);
    if (known !== null && is_base) {
      const found = await findTagged(docker, repository, known, signal);
      if (found !== null) return found;
    }
    const inputs = await readInputs(inputs_options);
    const parents = await ensureParents(inputs.parents, progress, signal);
    const hash = hashWithParents(inputs.hash, parents);
    const found = await findTagged(docker, repository, hash, signal);
    if (found !== null) return found;
    const tag = tagOf(repository, hash);
    progress(`Building ${tag}`);
    if (is_base) await buildBase({ folder, repository, tag, inputs }, progress, signal);
    else await buildDerived({ folder, tag, inputs, parents }, progress, signal);
    const built = await findTagged(docker, repository, hash, signal);
    if (built === null) {
      throw new AppError({
        code: "image_build_failed",
        message: `The engine ended the build of ${tag} without an error, and without the image.`,
      });
    }
    return built;
  }

  /** The base without its runner keeps a tag of its own, so that a changed runner does not send Node to the engine again. */
  async function buildBase(
    wanted: { folder: string; repository: string; tag: string; inputs: ImageInputs },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { docker, cache_folder, npm_command } = options;
    const { folder, repository, tag, inputs } = wanted;
    const parts_tag = `parts-${inputs.parts_hash.slice(0, 33)}`;
    const parts = `${repository}:${parts_tag}`;
    if ((await inspectImage(docker, parts, signal)) !== null) {
      const dockerfile = `FROM ${parts}\nCOPY ${RUNNER_FOLDER}/ /opt/sealwork/\n`;
      const files = inputs.files.filter((file) => file.path.startsWith(`${RUNNER_FOLDER}/`));
      files.push({ path: "Dockerfile", executable: false, content: Buffer.from(dockerfile) });
      return await buildContext(tag, packContext(files, null), {}, progress, signal);
    }
    const apt = await readAptSettings(signal);
    await ensureDebianImage({ docker, image: DEBIAN_TRIXIE, cache_folder, apt, progress, signal });
    progress("Fetching Node and npm for the sandbox");
    const packages = await fetchNodePackages({ folder, cache_folder, npm_command, signal });
    await buildContext(tag, packContext(inputs.files, packages), aptArguments(apt), progress, signal);
    await docker.getImage(tag).tag({ repo: repository, tag: parts_tag });
  }

  /**
   * Any other build folder. npm packages that it pins lie in its context as those of the base do: the build itself needs no registry.
   * A Dockerfile that installs much starts from BASE_PARTS and copies the runner last, so that a changed runner costs it one small layer.
   */
  async function buildDerived(
    image: { folder: string; tag: string; inputs: ImageInputs; parents: ReadonlyMap<string, ImageRef> },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { docker, cache_folder, npm_command } = options;
    const { folder, tag, inputs, parents } = image;
    let packages: string | null = null;
    if (await pinsPackages(folder)) {
      progress(`Fetching the npm packages of ${tag.replace(/:.*/, "")}`);
      packages = await fetchNodePackages({ folder, cache_folder, npm_command, signal });
    }
    const base_image = parents.get("base");
    const offered = {
      ...aptArguments(await readAptSettings(signal)),
      ...(base_image && { BASE_PARTS: await withoutRunner(docker, base_image, "sealwork/base") }),
    };
    const files = pinParents(inputs.files, parents);
    const build_arguments = declaredArguments(files, offered);
    await buildContext(tag, packContext(files, packages), build_arguments, progress, signal);
  }

  async function buildContext(
    tag: string,
    context: NodeJS.ReadableStream,
    buildargs: Record<string, string>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const stream = await options.docker.buildImage(context, {
      t: tag,
      rm: true,
      forcerm: true,
      buildargs,
      abortSignal: signal,
    });
    await followProgress(stream, { what: `Building ${tag}`, code: "image_build_failed", progress, signal });
  }

  /** An image made from another of ours is made anew when that one is; so that one is made first. */
  async function ensureParents(
    names: readonly string[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ImageRef>> {
    const parents = new Map<string, ImageRef>();
    for (const name of names) {
      const template = { name, image: `sealwork/${name}`, build: join("images", name) };
      parents.set(name, await ensure(template, progress, signal));
    }
    return parents;
  }

  return { ensure };
}

function hashWithParents(inputs_hash: string, parents: ReadonlyMap<string, ImageRef>): string {
  let hash = inputs_hash;
  for (const { digest } of parents.values())
    hash = `${hash.slice(0, 16)}-${digest.replace("sha256:", "").slice(0, 16)}`;
  return hash;
}

function aptArguments(apt: AptSettings): Record<string, string> {
  return {
    APT_MIRROR: apt.mirror,
    APT_SECURITY_MIRROR: apt.security_mirror,
    APT_SETTINGS: apt.settings,
  };
}

/** The image of a template without a build folder: there, or pulled. */
async function ensureReady(
  docker: Docker,
  template: Template,
  progress: Progress,
  signal: AbortSignal,
): Promise<ImageRef> {
  const { image, name } = template;
  let found = await inspectImage(docker, image, signal);
  if (found === null) {
    progress(`Pulling ${image}`);
    if (await pullImage(docker, image, { progress, signal }))
      found = await inspectImage(docker, image, signal);
  }
  if (found !== null) return { reference: image, digest: found.id };
  throw new AppError({
    code: "image_missing",
    message: `The image ${image} of template ${name} is not there, and no image registry gives it.`,
    hint: `Build it (\`docker build -t ${image} …\`) or pull it, or change templates.${name}.image in config.json.`,
  });
}

async function findTagged(
  docker: Docker,
  repository: string,
  hash: string,
  signal: AbortSignal,
): Promise<ImageRef | null> {
  const reference = tagOf(repository, hash);
  const found = await inspectImage(docker, reference, signal);
  if (found === null) return null;
  // Podman writes names with a host in front, hence the comparison of ends.
  if (!found.tags.some((tag) => tag.endsWith(`${repository}:latest`))) {
    await docker.getImage(reference).tag({ repo: repository, tag: "latest" });
  }
  return { reference, digest: found.id };
}

function tagOf(repository: string, hash: string): string {
  return `${repository}:${hash.slice(0, 33)}`;
}
