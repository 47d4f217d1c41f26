import { z } from "zod";
import { runCommand } from "./child-command.ts";

/** How pip may be called on a machine that has it. */
const PIP_COMMANDS = [["pip"], ["pip3"], ["python3", "-m", "pip"]];
/** A later source goes before an earlier one; `install` is what pip's users set for that command alone. */
const PIP_SECTIONS = ["global", "install", ":env:"];

/** What the settings of a package tool say, its environment variables included. Addresses are as given there, credentials and all. */
export type PackageSettings = {
  /** The registry that packages come from; null when nothing names one. */
  registry: string | null;
  /** All that packages may come from. */
  registries: string[];
  /** Files of certificates, and certificates themselves as PEM. */
  certificates: string[];
  /** The files that were read or would have been, so that a change is noticed. */
  files: string[];
};

const NpmSettings = z.record(z.string(), z.unknown());
const text = z.string().min(1);

/**
 * npm's settings outside of any project; its registry is npm's own where nothing else is set.
 * Throws AppError `setup_failed` where npm is missing or says something else.
 */
export async function readNpmSettings(
  command: readonly string[],
  signal: AbortSignal,
): Promise<PackageSettings> {
  const said = await runCommand([...command, "config", "ls", "--json"], {
    cwd: "/",
    signal,
    stdout_only: true,
  });
  const settings = NpmSettings.parse(JSON.parse(said));
  const texts = (...values: unknown[]) =>
    values.flat().flatMap((value) => (text.safeParse(value).success ? [String(value)] : []));
  const [registry = null] = texts(settings.registry);
  const scoped = Object.entries(settings).filter(([name]) => name.endsWith(":registry"));
  return {
    registry,
    registries: texts(
      settings.registry,
      scoped.map(([, value]) => value),
    ),
    certificates: texts(settings.cafile, settings.ca),
    files: texts(settings.userconfig, settings.globalconfig),
  };
}

/** pip's settings. Throws AppError `setup_failed` where pip is missing. */
export async function readPipSettings(signal: AbortSignal): Promise<PackageSettings> {
  let failure: unknown;
  for (const command of PIP_COMMANDS) {
    try {
      return parsePipSettings(
        await runCommand([...command, "config", "list", "-v"], { cwd: "/", signal, stdout_only: true }),
      );
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}

/** Reads what `pip config list -v` prints: the files it looks for, then `section.name='value'`, the value as Python writes strings. */
export function parsePipSettings(said: string): PackageSettings {
  const files: string[] = [];
  const values = new Map<string, string>();
  for (const line of said.split("\n")) {
    const file = /^For variant '\w+', will try loading '(.*)'$/.exec(line)?.[1];
    if (file !== undefined) files.push(file);
    const [, section = "", name = "", quoted = ""] = /^([^.=]+)\.([a-z-]+)=(['"].*['"])$/.exec(line) ?? [];
    if (name !== "") values.set(`${section}.${name}`, unquote(quoted));
  }
  const last = (name: string) =>
    PIP_SECTIONS.map((section) => values.get(`${section}.${name}`)).findLast((value) => value !== undefined);
  const words = (name: string) => (last(name) ?? "").split(/\s+/).filter((word) => word !== "");
  const registry = last("index-url") ?? null;
  const further = [...words("extra-index-url"), ...words("find-links")].filter((word) =>
    /^https?:/i.test(word),
  );
  return {
    registry,
    registries: [...(registry === null ? [] : [registry]), ...further],
    certificates: words("cert"),
    files,
  };
}

function unquote(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}
