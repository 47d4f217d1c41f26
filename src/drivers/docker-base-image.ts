import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { AppError } from "../contract/errors.ts";
import type { AptSettings } from "./apt-settings.ts";
import { hasProgram, runCommand } from "./child-command.ts";
import { followProgress } from "./docker-progress.ts";
import { inspectImage, pullImage } from "./docker-pull.ts";

/** What images/base/Dockerfile starts from. */
export const DEBIAN_TRIXIE = { name: "debian:trixie-slim", suite: "trixie" };
/** What Debian's own slim image leaves out as well. */
const EXCLUDES = ["man", "info", "locale", "lintian", "doc"].map(
  (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
);

export type DebianOptions = {
  docker: Docker;
  /** The name of the image, with a tag, and the release of Debian to make it from where no registry has it. */
  image: { name: string; suite: string };
  cache_folder: string;
  apt: AptSettings;
  progress: (line: string) => void;
  signal: AbortSignal;
};

/**
 * Makes sure that a plain image of Debian exists: present, else pulled, else made from Debian's packages with mmdebstrap and imported.
 * Throws AppError `image_missing` with what to type when none of these can be done.
 */
export async function ensureDebianImage(options: DebianOptions): Promise<void> {
  const { docker, progress, signal } = options;
  const { name, suite } = options.image;
  if ((await inspectImage(docker, name, signal)) !== null) return;
  progress(`Pulling ${name}`);
  if (await pullImage(docker, name, { progress, signal })) return;
  progress(`No image registry answers; making ${name} from Debian packages`);
  await ensureMmdebstrap(name, progress, signal);
  await mkdir(options.cache_folder, { recursive: true });
  // A file between the two, because the engine would take a stream that breaks off for a whole image.
  const folder = await mkdtemp(join(options.cache_folder, "debian-"));
  try {
    const archive = join(folder, "base.tar");
    await runCommand(
      ["mmdebstrap", "--variant=minbase", ...EXCLUDES, suite, archive, ...debianSources(options.apt, suite)],
      {
        signal,
        on_line: (line) => line.startsWith("I: ") && progress(line.slice(3)),
      },
    );
    await importImage(docker, archive, { name, progress, signal });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Imports a root file system (a tar) as an image under that name, `repository:tag`. */
export async function importImage(
  docker: Docker,
  archive: string,
  options: { name: string; progress: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  const [repo = "", tag = "latest"] = options.name.split(":");
  const stream = await docker.importImage(archive, {
    repo,
    tag,
    changes: ['CMD ["bash"]', "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    abortSignal: options.signal,
  });
  await followProgress(stream, { what: `Importing ${options.name}`, code: "image_build_failed", ...options });
}

/** The sources to hand to mmdebstrap: this machine's own archive, or none, which leaves the tool its default. */
export function debianSources(apt: AptSettings, suite: string): string[] {
  if (apt.mirror === "") return [];
  const sources = [`deb ${apt.mirror} ${suite} main`];
  if (apt.follows_updates) sources.push(`deb ${apt.mirror} ${suite}-updates main`);
  if (apt.security_mirror !== "") sources.push(`deb ${apt.security_mirror} ${suite}-security main`);
  return sources;
}

async function ensureMmdebstrap(
  image: string,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (await hasProgram("mmdebstrap", signal)) return;
  const install = "apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring";
  if (process.getuid?.() !== 0 || !(await hasProgram("apt-get", signal))) {
    throw new AppError({
      code: "image_missing",
      message: `The image ${image} is not there, no image registry answers, and mmdebstrap, which could make it, is missing.`,
      hint: `Type \`sudo ${install}\`, or \`docker pull ${image}\` when the network is back; then try again.`,
    });
  }
  progress("Installing mmdebstrap");
  await runCommand(["apt-get", "update"], { signal });
  await runCommand(
    ["env", "DEBIAN_FRONTEND=noninteractive", ...install.split(" "), "-o", "DPkg::Lock::Timeout=120"],
    {
      signal,
    },
  );
}
