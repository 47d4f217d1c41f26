import type { JobRequestInput } from "../../../src/contract/job.ts";
import type { Draft, Quantity } from "./draft.ts";
import type { Inputs } from "./inputs.ts";
import { hostsOf, requestOf } from "./job-request.ts";
import { hereDocument, shellOption, shellWord } from "./shell-words.ts";

/** Linux gives a program no single argument longer than 128 KiB; characters may be of several bytes, and quotes make it longer. */
const ARGUMENT_MAX_CHARS = 30_000;
const CONTINUED = " \\\n  ";
/** What fits into one line stands in one. */
const LINE_MAX_CHARS = 72;

const FLAGS: Record<Quantity, string> = {
  cpus: "--cpus",
  memory: "--memory",
  disk: "--disk",
  pids: "--pids",
  timeout: "--timeout",
  idle_timeout: "--idle-timeout",
  max_tokens: "--max-tokens",
  max_cost: "--max-cost",
  max_calls: "--max-calls",
  approval_timeout: "--approve-timeout",
  linger: "--linger",
  priority: "--priority",
};

/**
 * The command line that schedules the same job. Variables are taken from the shell's own, so that no secret stands in it. Paths of files are
 * those below the workspace, as they are found where the files were taken from.
 */
export function cliLine(draft: Draft, inputs: Inputs): string {
  const { request } = requestOf(draft);
  const words: string[] = [];
  const add = (option: string, value: string | undefined): void => {
    if (value !== undefined) words.push(shellOption(option, value));
  };
  add("--agent", request.agent);
  add("--model", request.model ?? undefined);
  add("--template", request.template ?? undefined);
  add("--egress", request.egress?.policy ?? undefined);
  for (const host of hostsOf(draft.hosts)) add("--allow", host);
  add("--approve", request.approval?.policy);
  for (const [name, flag] of Object.entries(FLAGS)) add(flag, draft[name as Quantity].trim() || undefined);
  for (const [name, value] of Object.entries(request.labels ?? {}))
    add("--label", value === "" ? name : `${name}=${value}`);
  for (const name of Object.keys(request.env ?? {})) add("--env", name);
  if (request.patch === true) words.push("--patch");
  for (const { path } of inputs.files) add("--file", path);
  if (inputs.archive === null) return runLine("sealwork run", words, request.prompt);
  // A folder is always sent with a patch kept, and an archive is not sent as such.
  const folder = shellWord(inputs.archive.path.replace(/\.zip$/i, "") || "workspace");
  return `unzip -q ${shellWord(inputs.archive.path)} -d ${folder}\n${runLine(`sealwork run --dir ${folder}`, words, request.prompt)}`;
}

function runLine(start: string, words: readonly string[], prompt: string): string {
  const line = [start, ...words];
  if (prompt.search(CONTROLS) !== -1) {
    const written = prompt.replaceAll("\\", "\\\\").replace(CONTROLS, octal);
    return `printf %b ${shellWord(written)} | ${inLines([...line, "-"])}`;
  }
  if (prompt.endsWith("\n")) return `${inLines([...line, "-"])} ${hereDocument(prompt)}`;
  // One word could be the name of a file, and an option; what is long is no argument.
  const plain = /\s/.test(prompt) && !prompt.startsWith("-") && prompt.length < ARGUMENT_MAX_CHARS;
  if (plain) return inLines([...line, shellWord(prompt)]);
  return `printf %s ${shellWord(prompt)} | ${inLines([...line, "-"])}`;
}

function inLines(words: readonly string[]): string {
  const line = words.join(" ");
  return line.length <= LINE_MAX_CHARS ? line : words.join(CONTINUED);
}

/** What a terminal may take for keys while a line is pasted, so that what follows would run (ESC, Ctrl C): written by number, never as it is. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** As `printf %b` reads it (POSIX). */
function octal(control: string): string {
  return Array.from(
    new TextEncoder().encode(control),
    (byte) => `\\0${byte.toString(8).padStart(3, "0")}`,
  ).join("");
}

/** The same with curl. The token is the shell's SEALWORK_TOKEN, and variables are its own too. */
export function curlLine(draft: Draft, inputs: Inputs, origin: string): string {
  const { request } = requestOf(draft);
  const line = ["curl -sS --fail-with-body", `-H "Authorization: Bearer $SEALWORK_TOKEN"`];
  const { files, archive } = inputs;
  const has_files = files.length > 0 || archive !== null;
  const { argument, document } = jobText(request);
  const end = `${origin}/schedule`;
  if (!has_files) {
    line.push("-H 'Content-Type: application/json'");
    if (document === null) return [...line, `--data-binary ${argument}`, end].join(CONTINUED);
    return `${[...line, "--data-binary @-", end].join(CONTINUED)} ${document}`;
  }
  line.push(document === null ? `--form-string job=${argument}` : "-F 'job=<-'");
  if (archive !== null) line.push(`-F ${shellWord(`archive=@${formWord(archive.path)}`)}`);
  for (const { path } of files)
    line.push(`-F ${shellWord(`files=@${formWord(path)};filename=${formWord(path)}`)}`);
  return `${[...line, end].join(CONTINUED)}${document === null ? "" : ` ${document}`}`;
}

/** The job as JSON: an argument, or a here-document where it is too long for one. The shell puts its variables in. */
function jobText({ env = {}, ...request }: JobRequestInput): { argument: string; document: string | null } {
  // JSON itself leaves some of them as they are.
  const json = JSON.stringify(request).replace(
    CONTROLS,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const names = Object.keys(env).filter((name) => VARIABLE.test(name));
  const start = names.length === 0 ? json : `${json.slice(0, -1)},"env":{`;
  if (json.length < ARGUMENT_MAX_CHARS) {
    if (names.length === 0) return { argument: shellWord(json), document: null };
    // Each variable stands between double quotes, outside of the single ones around the rest.
    const values = names.map((name) => `"${name}":"'"$${name}"'"`).join(",");
    return { argument: `'${start.replaceAll("'", "'\\''")}${values}}}'`, document: null };
  }
  if (names.length === 0) return { argument: "", document: hereDocument(`${json}\n`) };
  const values = names.map((name) => `"${name}":"$${name}"`).join(",");
  return { argument: "", document: `<<END\n${start.replace(/[\\$`]/g, "\\$&")}${values}}}\nEND` };
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A file name as curl's -F reads it: between quotes where it has what curl reads as its own. */
function formWord(path: string): string {
  return /[;,"\\]/.test(path) || path !== path.trim() ? `"${path.replace(/["\\]/g, "\\$&")}"` : path;
}
