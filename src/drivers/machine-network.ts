import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import type { NetworkSettings } from "../contract/link.ts";
import type { Log } from "../core/dependencies.ts";
import type { Registry } from "../core/network.ts";
import { readAptRepositories } from "./apt-settings.ts";
import { type ImageRegistries, readImageRegistries } from "./image-registries.ts";
import { extraCertificates } from "./machine-certificates.ts";
import { type PackageSettings, readNpmSettings, readPipSettings } from "./package-settings.ts";

/** A tool that takes longer than this to say its settings counts as missing. */
const READ_MS = 20_000;
/** What was missing is looked for again after this long. */
const RETRY_MS = 60_000;
const APT_SOURCES = ["/etc/apt/sources.list", "/etc/apt/sources.list.d"];

export type MachineNetwork = { network: NetworkSettings; registries: Registry[] };

export type MachineNetworkOptions = {
  docker: Docker;
  /** The image whose npm and pip say where they go when nobody tells them otherwise. */
  image: string;
  cache_folder: string;
  /** How npm is started, such as ["npm"]. */
  npm_command: readonly string[];
  /** Files with certificates that the machine's environment names. */
  certificate_files: readonly string[];
  log: Log;
};

/** `print` is what the files looked like; `whole` when nothing was missing. */
type Reading = MachineNetwork & { files: string[]; print: string; whole: boolean; at_ms: number };

/**
 * The settings of this machine's npm, pip and apt, as they are now: the function that is returned reads them when it is first called, and again when one of
 * their files has changed or something was missing a while ago. It never rejects: what cannot be read counts as not set.
 */
export function readMachineNetwork(options: MachineNetworkOptions): () => Promise<MachineNetwork> {
  let latest: Promise<Reading> | null = null;
  return async () => {
    const last = latest;
    if (last !== null && (await isCurrent(await last))) return last;
    // Whoever comes first reads for all who found the same reading out of date.
    if (latest === null || latest === last) latest = read(options);
    return latest;
  };
}

async function isCurrent({ files, print, whole, at_ms }: Reading): Promise<boolean> {
  return (whole || performance.now() - at_ms < RETRY_MS) && (await fingerprint(files)) === print;
}

async function read(options: MachineNetworkOptions): Promise<Reading> {
  const { docker, image, cache_folder, npm_command, certificate_files, log } = options;
  const signal = AbortSignal.timeout(READ_MS);
  const orNull = <T>(what: string, work: Promise<T>): Promise<T | null> =>
    work.catch((error: unknown) => {
      log("info", `The settings of ${what} were not read.`, { error: String(error).slice(0, 500) });
      return null;
    });
  const [npm, pip, apt, defaults] = await Promise.all([
    orNull("npm", readNpmSettings(npm_command, signal)),
    orNull("pip", readPipSettings(signal)),
    orNull("apt", readAptRepositories(signal)),
    orNull(image, readImageRegistries({ docker, image, cache_folder, signal })),
  ]);
  const certificates = [...certificate_files, ...(npm?.certificates ?? []), ...(pip?.certificates ?? [])];
  const files = [
    ...(npm?.files ?? []),
    ...(pip?.files ?? []),
    ...APT_SOURCES,
    ...certificates.filter((one) => !one.includes("-----BEGIN")),
  ];
  return {
    network: {
      npm_registry: withoutCredentials(npm?.registry ?? null),
      pip_index_url: withoutCredentials(pip?.registry ?? null),
      ca_pem: await extraCertificates(certificates),
    },
    registries: combine({ npm, pip, apt: apt ?? [], defaults }),
    files,
    print: await fingerprint(files),
    at_ms: performance.now(),
    whole: npm !== null && pip !== null && defaults !== null,
  };
}

/** What the machine's settings name, and for a tool without a setting what the image's own goes to. */
export function combine(found: {
  npm: PackageSettings | null;
  pip: PackageSettings | null;
  apt: readonly string[];
  defaults: ImageRegistries | null;
}): Registry[] {
  const { npm, pip, apt, defaults } = found;
  const own = [...(npm?.registries ?? []), ...(pip?.registries ?? []), ...apt];
  const further: string[] = [];
  if ((npm?.registry ?? null) === null) further.push(...(defaults?.npm ?? []));
  // An index may send its readers elsewhere for the files; where the image's own index does, this is known.
  const [index = ""] = defaults?.pip ?? [];
  const named = pip?.registry ?? null;
  if (named === null || URL.parse(named)?.host === URL.parse(index)?.host)
    further.push(...(defaults?.pip ?? []));
  const all = new Map<string, Registry>();
  for (const [urls, is_own] of [
    [own, true],
    [further, false],
  ] as const) {
    for (const url of urls) {
      const registry = toRegistry(url, is_own);
      const key = registry === null ? "" : `${registry.host}:${registry.port}`;
      if (registry !== null && !all.has(key)) all.set(key, registry);
    }
  }
  return [...all.values()];
}

/** The address without user, password, query and fragment; null for what is no address of the web. */
export function withoutCredentials(given: string | null): string | null {
  const url = given === null ? null : URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return `${url.origin}${url.pathname}`;
}

function toRegistry(given: string, own: boolean): Registry | null {
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/\.$/, ""), port, own };
}

/** Changes when one of the files does, or a file in one of the folders. */
async function fingerprint(paths: readonly string[]): Promise<string> {
  const prints = await Promise.all(
    [...new Set(paths)].map(async (path) => {
      const status = await stat(path).catch(() => null);
      if (status === null) return `${path} none`;
      const below = status.isDirectory() ? await readdir(path).catch(() => []) : [];
      const own = `${path} ${status.mtimeMs} ${status.size} ${status.ino}`;
      return below.length === 0 ? own : `${own} ${await fingerprint(below.map((name) => join(path, name)))}`;
    }),
  );
  return prints.join("\n");
}
