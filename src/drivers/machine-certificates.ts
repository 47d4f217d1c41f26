import { X509Certificate } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";

const FILE_MAX_BYTES = 8 * 1024 * 1024;
/** What goes to a sandbox at its start; a machine's own authorities are a handful. */
const EXTRA_MAX_CHARS = 512 * 1024;
/** A private key that lies in the same file is none of these. */
const CERTIFICATE =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** Where Debian's package of authorities keeps them, one in a file; what an administrator adds lies elsewhere. */
const PACKAGED = "/usr/share/ca-certificates/mozilla";

let usual: Promise<Set<string>> | null = null;

/**
 * The certificates in files and texts that this machine trusts beyond those that come with Node or with its distribution, as PEM; null when
 * there are none. Files that are missing or too large count as empty.
 */
export async function extraCertificates(sources: readonly string[]): Promise<string | null> {
  const known = new Set(await usualFingerprints());
  let pem = "";
  for (const source of new Set(sources)) {
    const content = source.includes("-----BEGIN") ? source : await readBounded(source);
    for (const [block] of content.matchAll(CERTIFICATE)) {
      const certificate = parse(block);
      if (certificate === null || known.has(certificate.fingerprint256)) continue;
      known.add(certificate.fingerprint256);
      const text = certificate.toString();
      if (pem.length + text.length > EXTRA_MAX_CHARS) return pem;
      pem += text;
    }
  }
  return pem === "" ? null : pem;
}

function usualFingerprints(): Promise<Set<string>> {
  usual ??= readPackaged().then((packaged) => {
    const all = [...rootCertificates, ...packaged].map((pem) => parse(pem)?.fingerprint256 ?? "");
    return new Set(all);
  });
  return usual;
}

async function readPackaged(): Promise<string[]> {
  const names = await readdir(PACKAGED).catch(() => []);
  return Promise.all(names.map((name) => readBounded(join(PACKAGED, name))));
}

async function readBounded(path: string): Promise<string> {
  try {
    const status = await stat(path);
    return status.isFile() && status.size <= FILE_MAX_BYTES ? await readFile(path, "latin1") : "";
  } catch {
    // As every program does with a setting that points nowhere.
    return "";
  }
}

function parse(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}
