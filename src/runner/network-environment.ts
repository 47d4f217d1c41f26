import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Network } from "../contract/link.ts";
import { EGRESS_PORT } from "../contract/models.ts";

const PROXY = `http://127.0.0.1:${EGRESS_PORT}`;
/** What programs in a sandbox say to each other needs no proxy. */
const NO_PROXY = "localhost,127.0.0.1,::1,.localhost";
/** Where distributions keep the certificates that they trust: Debian and Arch; Fedora; openSUSE; Alpine and others. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The variables by which programs find the way out: proxy, registries, and the machine's own certificates, whose files are written below `home` and
 * outside the workspace. Empty when there is no way out.
 */
export async function networkEnvironment(
  network: Network,
  options: { home: string; system_bundles?: readonly string[] },
): Promise<Record<string, string>> {
  if (!network.egress) return {};
  const env: Record<string, string> = {
    ...bothSpellings({ HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, NO_PROXY }),
    // Node's own fetch and http look at the others only when told to.
    NODE_USE_ENV_PROXY: "1",
    // Yarn 2 and later know no other names for these; Yarn 1 has a registry of its own unless told otherwise.
    YARN_HTTP_PROXY: PROXY,
    YARN_HTTPS_PROXY: PROXY,
  };
  if (network.npm_registry !== null) {
    env.NPM_CONFIG_REGISTRY = network.npm_registry;
    env.YARN_REGISTRY = network.npm_registry;
    env.YARN_NPM_REGISTRY_SERVER = network.npm_registry.replace(/\/$/, "");
  }
  if (network.pip_index_url !== null) env.PIP_INDEX_URL = network.pip_index_url;
  if (network.ca_pem === null) return env;
  const system = await systemBundle(options.system_bundles ?? SYSTEM_BUNDLES);
  return { ...env, ...(await writeCertificates(network.ca_pem, system, options.home)) };
}

/** Node, and npm with it, adds the extra certificates to its own; everybody else takes the whole bundle in the place of theirs. */
async function writeCertificates(
  extra_pem: string,
  system_pem: string,
  home: string,
): Promise<Record<string, string>> {
  const folder = join(home, ".sealwork", "certificates");
  const extra = join(folder, "extra.pem");
  const bundle = join(folder, "bundle.pem");
  const wgetrc = join(folder, "wgetrc");
  await mkdir(folder, { recursive: true });
  await writeFile(extra, extra_pem);
  await writeFile(bundle, `${system_pem.trimEnd()}\n${extra_pem}`);
  await writeFile(wgetrc, `ca_certificate = ${bundle}\n`);
  return {
    NODE_EXTRA_CA_CERTS: extra,
    SSL_CERT_FILE: bundle,
    CURL_CA_BUNDLE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    PIP_CERT: bundle,
    GIT_SSL_CAINFO: bundle,
    // wget has no variable for certificates, only one for its settings.
    WGETRC: wgetrc,
  };
}

/** What the image trusts; an image without such a file gets what Node trusts. */
async function systemBundle(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const pem = await readFile(path, "latin1").catch(() => "");
    if (pem.includes("-----BEGIN")) return pem;
  }
  // Loaded only here: it is slow to load, and every job waits for this file.
  const { rootCertificates } = await import("node:tls");
  return rootCertificates.join("\n");
}

function bothSpellings(variables: Record<string, string>): Record<string, string> {
  const lower = Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...variables, ...Object.fromEntries(lower) };
}
