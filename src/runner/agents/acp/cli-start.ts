import { isAbsolute, normalize } from "node:path";
import type { AgentCli } from "../../../contract/agent-cli.ts";
import { AppError } from "../../../contract/errors.ts";
import { DUMMY_KEY, type ModelAccess, modelBaseUrl } from "../../../contract/models.ts";
import { writeFileBelow } from "../../workspace/write-file.ts";

/** An agent CLI with nothing left to fill in. */
export type FilledCli = {
  command: [string, ...string[]];
  env: Record<string, string>;
  files: Record<string, string>;
};

const PLACEHOLDER = /\{(base_url|model|key)\}/g;

/** Puts the model's address, its name and the dummy key where the table of agent CLIs leaves room. Throws AppError when there is no model. */
export function fillCli(cli: AgentCli, model: ModelAccess | null): FilledCli {
  const values =
    model === null ? null : { base_url: modelBaseUrl(model.provider), model: model.model, key: DUMMY_KEY };
  const filled = (text: string, written: (value: string) => string): string =>
    text.replace(PLACEHOLDER, (_, name: "base_url" | "model" | "key") => {
      if (values !== null) return written(values[name]);
      throw new AppError({
        code: "invalid_request",
        message: "This agent works with a model, and the job has none.",
      });
    });
  const [program = "", ...rest] = cli.command.map((part) => filled(part, (value) => value));
  const env = Object.entries(cli.env).map(([name, value]) => [name, filled(value, (given) => given)]);
  const files = Object.entries(cli.files).map(([path, text]) => [path, filled(text, quoted)]);
  return {
    command: [program, ...rest],
    env: Object.fromEntries(env),
    files: Object.fromEntries(files),
  };
}

/** Writes the files of an agent CLI below the home folder. Throws AppError for a path that leaves it, or that cannot be written. */
export async function writeCliFiles(home: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const name = normalize(path);
    const leaves = isAbsolute(name) || name.split("/")[0] === "..";
    try {
      if (leaves) throw new Error("it lies outside the home folder");
      await writeFileBelow(home, name, Buffer.from(text));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AppError({
        code: "invalid_path",
        message: `The agent's file ${path} could not be written: ${why}.`,
        cause,
      });
    }
  }
}

/** Files of agent CLIs are JSON or TOML, where the value stands between double quotes. */
function quoted(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}
