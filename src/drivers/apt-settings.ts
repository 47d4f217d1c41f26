import { hasProgram, runCommand } from "./child-command.ts";

/** What this machine's apt was told that a Debian image built on it needs as well. All empty where apt is not there or says nothing. */
export type AptSettings = {
  /** Address of the Debian archive, "" for the image's own. */
  mirror: string;
  /** Address of Debian's security archive, "" for the image's own. */
  security_mirror: string;
  /** Whether this machine follows the `-updates` suite of its archive. */
  follows_updates: boolean;
  /** Lines for apt.conf: proxies that a container can reach, and date checks that are off. */
  settings: string;
};

/** Reads the machine's apt through apt's own tools, which know all its file formats. Addresses with a password are left out: images keep build arguments. */
export async function readAptSettings(signal: AbortSignal): Promise<AptSettings> {
  const found: AptSettings = { mirror: "", security_mirror: "", follows_updates: false, settings: "" };
  if (!(await hasProgram("apt-get", signal)) || !(await hasProgram("apt-config", signal))) return found;
  for (const { uri, release } of await indexTargets(signal)) {
    const url = URL.parse(uri);
    // A container has no certificates before its first package, so an archive behind TLS is of no use to it.
    if (url === null || url.protocol !== "http:" || url.username !== "" || isLoopback(url)) continue;
    const address = uri.replace(/\/$/, "");
    if (address.endsWith("/debian")) {
      found.mirror ||= address;
      found.follows_updates ||= release.endsWith("-updates");
    }
    if (address.endsWith("/debian-security")) found.security_mirror ||= address;
  }
  const dump = await runCommand(["apt-config", "dump", "Acquire"], { signal });
  found.settings = dump
    .split("\n")
    .filter((line) => {
      if (/^Acquire::Check-(Valid-Until|Date) "/.test(line)) return true;
      const proxy = /^Acquire::https?::Proxy(?:::\S+)? "(.+)";$/.exec(line)?.[1];
      const url = proxy === undefined ? null : URL.parse(proxy);
      return url !== null && url.username === "" && !isLoopback(url);
    })
    .join("\n");
  return found;
}

/** Where the machine's apt gets packages from. Throws AppError `setup_failed` where there is no apt. */
export async function readAptRepositories(signal: AbortSignal): Promise<string[]> {
  const uris = (await indexTargets(signal)).map(({ uri }) => uri);
  return [...new Set(uris)].filter((uri) => /^https?:/.test(uri));
}

async function indexTargets(signal: AbortSignal): Promise<{ uri: string; release: string }[]> {
  const targets = await runCommand(
    ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
    { signal, stdout_only: true },
  );
  return targets.split("\n").map((line) => {
    const [uri = "", release = ""] = line.split(" ");
    return { uri, release };
  });
}

/** What listens on this machine's loopback cannot be reached from a container. */
function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || url.hostname.startsWith("127.");
}
