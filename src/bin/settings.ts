import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { Config, PROVIDER_VARIABLES } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";

export const DEFAULT_PORT = 8000;
export const DEFAULT_HOST = "127.0.0.1";

type Environment = Record<string, string | undefined>;

/** Where things lie, and what the person configured. */
export type Settings = {
  environment: Environment;
  /** State that must not be lost: jobs, ZIPs, the token. Mode 0700. */
  data: string;
  /** What can be made anew. */
  cache: string;
  /** The checkout or installation that this program runs from. */
  installation: string;
  /** Read at first use, so that a broken file stops only what needs it. Throws AppError `invalid_config`. */
  readonly config: Config;
  config_file: string;
};

/**
 * Reads the environment: SEALWORK_DATA (default: sealwork below XDG_STATE_HOME), SEALWORK_CONFIG (default: sealwork/config.json below
 * XDG_CONFIG_HOME), XDG_CACHE_HOME. Folders as in the XDG Base Directory Specification 0.8, which has relative ones ignored.
 */
export function readSettings(environment: Environment): Settings {
  const home = environment.HOME || homedir();
  const base = (variable: string, fallback: string) => {
    const given = environment[variable] ?? "";
    return isAbsolute(given) ? given : join(home, fallback);
  };
  const config_file =
    environment.SEALWORK_CONFIG || join(base("XDG_CONFIG_HOME", ".config"), "sealwork", "config.json");
  let config: Config | null = null;
  return {
    environment,
    data: resolve(environment.SEALWORK_DATA || join(base("XDG_STATE_HOME", ".local/state"), "sealwork")),
    cache: join(base("XDG_CACHE_HOME", ".cache"), "sealwork"),
    installation: resolve(import.meta.dirname, "../.."),
    config_file,
    get config() {
      config ??= readConfig(config_file, Boolean(environment.SEALWORK_CONFIG));
      return config;
    },
  };
}

function readConfig(file: string, required: boolean): Config {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (missing && !required) return Config.parse({});
    throw invalidConfig(file, error instanceof Error ? error.message : String(error), error);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalidConfig(file, error instanceof Error ? error.message : String(error), error);
  }
  const parsed = Config.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const at = issue?.path.join(".") ?? "";
    throw invalidConfig(file, `${at === "" ? "" : `${at}: `}${issue?.message}`, parsed.error);
  }
  const { templates, default_template } = parsed.data;
  if (templates[default_template] === undefined)
    throw invalidConfig(file, `default_template names ${default_template}, which is no template`, null);
  return parsed.data;
}

function invalidConfig(file: string, what: string, cause: unknown): AppError {
  return new AppError({
    code: "invalid_config",
    message: `The configuration ${file} is not valid: ${what}`,
    hint: "docs/configuration.md shows every field; an empty object {} is a whole configuration.",
    cause,
  });
}

/** Names of the providers that an environment configures. */
export function providersOf(environment: Environment): string[] {
  return PROVIDER_VARIABLES.filter((name) => (environment[name] ?? "") !== "");
}

/** The token of this installation, made at first use, in a file of mode 0600. */
export function readOrMakeToken(data: string): string {
  return readOrMake(join(data, "token"), () => `swt_${randomBytes(24).toString("base64url")}`);
}

/** The token that a client on this machine uses; null when no server was ever started here. */
export function readToken(data: string): string | null {
  try {
    return readFileSync(join(data, "token"), "utf8").trim();
  } catch {
    return null;
  }
}

/** The key of the fingerprints that tell whether a request was sent before: what they are made of has a job's env in it. */
export function readOrMakeFingerprintSecret(data: string): string {
  return readOrMake(join(data, "fingerprint-secret"), () => randomBytes(32).toString("base64url"));
}

/** What the names of previews and the cookies for them are made with: with another one those that people have open are void. */
export function readOrMakePreviewSecret(data: string): string {
  return readOrMake(join(data, "preview-secret"), () => randomBytes(32).toString("base64url"));
}

/** What tells this installation's containers and volumes from those of others on the same engine. */
export function readOrMakeInstallationId(data: string): string {
  return readOrMake(join(data, "installation-id"), () => randomBytes(8).toString("hex"));
}

/** Empty counts as missing: a disk that was full at first start must not leave an empty token that everybody knows. */
function readOrMake(file: string, make: () => string): string {
  mkdirSync(resolve(file, ".."), { recursive: true, mode: 0o700 });
  const known = readFileOrNull(file)?.trim() ?? "";
  if (known !== "") return known;
  const temporary = `${file}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${make()}\n`, { flag: "wx", mode: 0o600, flush: true });
  renameSync(temporary, file);
  return readFileSync(file, "utf8").trim();
}

function readFileOrNull(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
