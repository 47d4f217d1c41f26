import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import {
  type Approval,
  EgressHost,
  type EgressPolicy,
  type JobRequestInput,
  PROMPT_MAX_CHARS,
} from "../contract/job.ts";
import { folderArchive } from "./folder-archive.ts";
import { type FolderListing, listFolder } from "./folder-listing.ts";
import type { Io } from "./io.ts";
import { type MultipartBody, multipartBody, type Part } from "./multipart.ts";
import { slug, titleOf } from "./zip-download.ts";

export type TaskOptions = {
  template?: string;
  agent?: string;
  model?: string;
  cpus?: number;
  memory?: number;
  disk?: number;
  pids?: number;
  timeout?: number;
  idleTimeout?: number;
  allow?: string[];
  egress?: EgressPolicy;
  maxTokens?: number;
  maxCost?: number;
  maxCalls?: number;
  approve?: Approval["policy"];
  approveTimeout?: number;
  linger?: number;
  env?: string[];
  label?: string[];
  priority?: number;
  dir?: string;
  file?: string[];
  patch?: boolean;
};

export type TaskRequest = {
  request: JobRequestInput;
  upload: MultipartBody | null;
  listing: FolderListing | null;
  /** The name for files that come of it. */
  name: string;
};

/** What the command line asks for, as the request that goes out. Throws `usage`. */
export async function taskRequest(
  io: Io,
  task: string,
  options: TaskOptions,
  signal: AbortSignal,
): Promise<TaskRequest> {
  const { prompt, name } = await readTask(io, task);
  const request: JobRequestInput = { prompt };
  if (options.template !== undefined) request.template = options.template;
  if (options.agent !== undefined) request.agent = options.agent;
  if (options.model !== undefined) request.model = options.model;
  if (options.priority !== undefined) request.priority = options.priority;
  const { limits, egress, budget, approval } = bounds(options);
  if (limits !== undefined) request.limits = limits;
  if (egress !== undefined) request.egress = egress;
  if (budget !== undefined) request.budget = budget;
  if (approval !== undefined) request.approval = approval;
  if (options.linger !== undefined) request.linger_s = options.linger;
  if (options.env !== undefined)
    request.env = Object.fromEntries(options.env.map((word) => variable(io, word)));
  if (options.label !== undefined) request.labels = Object.fromEntries(options.label.map(label));
  if (options.patch === true || options.dir !== undefined) request.patch = true;

  const listing =
    options.dir === undefined
      ? null
      : await listFolder(path.resolve(io.cwd, options.dir), { env: io.env, signal });
  const files = await Promise.all((options.file ?? []).map((word) => filePart(io, word)));
  if (listing === null && files.length === 0) return { request, upload: null, listing, name };
  const parts: Part[] = [
    { name: "job", filename: null, content_type: "application/json", open: () => once(request) },
  ];
  if (listing !== null) {
    parts.push({
      name: "archive",
      filename: "workspace.zip",
      content_type: "application/zip",
      open: () => folderArchive(listing),
    });
  }
  return { request, upload: multipartBody([...parts, ...files]), listing, name };
}

type Bounds = Pick<JobRequestInput, "limits" | "egress" | "budget" | "approval">;

/** What a job may use, reach, spend and do unasked; what the command line leaves out is the server's to fill in. */
function bounds(options: TaskOptions): Bounds {
  return {
    limits: given({
      cpus: options.cpus,
      memory_bytes: options.memory,
      disk_bytes: options.disk,
      pids: options.pids,
      timeout_s: options.timeout,
      idle_timeout_s: options.idleTimeout,
    }),
    egress: given({ policy: options.egress, hosts: options.allow?.map((host) => egressHost(host)) }),
    budget: given({
      max_tokens: options.maxTokens,
      max_cost_usd: options.maxCost,
      max_calls: options.maxCalls,
    }),
    approval: given({ policy: options.approve, timeout_s: options.approveTimeout }),
  };
}

/** The fields that have a value; undefined when none has. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } | undefined {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (known.length === 0) return undefined;
  return Object.fromEntries(known) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** A host that a job may reach, as a person writes it. Throws `usage`. */
export function egressHost(word: string): string {
  if (EgressHost.safeParse(word).success) return word.toLowerCase();
  throw usage(
    `'${word}' is no host that can be opened.`,
    "Write example.org, *.example.org or example.org:8443; addresses and URLs are not taken.",
  );
}

async function* once(value: unknown): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(value));
}

/** The prompt: of standard input for `-`, of an existing file, else the words themselves. */
async function readTask(io: Io, task: string): Promise<{ prompt: string; name: string }> {
  if (task === "-") {
    const prompt = await readAll(io.stdin);
    return { prompt: notEmpty(prompt, "Standard input"), name: slug(titleOf(prompt)) };
  }
  // Resolved as a path, no words at all are the current folder.
  notEmpty(task, "The task");
  const file = path.resolve(io.cwd, task);
  // A sentence can be longer than any path may be; asking for it then fails in its own way, which is no file either.
  const found = await stat(file).catch(() => null);
  if (found?.isDirectory() && !/\s/.test(task)) {
    throw usage(`'${task}' is a folder.`, `To work on it, say what to do: sealwork run --dir ${task} "…"`);
  }
  if (found?.isFile()) {
    if (found.size > PROMPT_MAX_CHARS * 4) throw usage(`${task} is too large for a task.`, TOO_LONG);
    const prompt = notEmpty(await readFile(file, "utf8"), task);
    return { prompt, name: slug(path.basename(task).replace(/\.[^.]+$/, "")) };
  }
  if (/^\S+\.(md|markdown)$/i.test(task)) {
    throw usage(`There is no file '${task}'.`, "Check the path; a task in words needs more than one word.");
  }
  return { prompt: notEmpty(task, "The task"), name: slug(titleOf(task)) };
}

const TOO_LONG = `A task has at most ${PROMPT_MAX_CHARS} characters; send more as files with --file.`;

/** All of standard input as text. Throws `usage` when it is too long even for a task. */
export async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > PROMPT_MAX_CHARS * 4) throw usage("Standard input is too long for a task.", TOO_LONG);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function notEmpty(prompt: string, where: string): string {
  if (prompt.trim() !== "") return prompt;
  throw usage(`${where} is empty.`, "Describe the task, or give Markdown with fenced blocks.");
}

/** A variable as people write it: `NAME=value`, or `NAME` for the one that this process has. AppError `usage` for anything else. */
export function variable(io: Io, word: string): [string, string] {
  const at = word.indexOf("=");
  const name = at === -1 ? word : word.slice(0, at);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw usage(`'${name}' is no name of a variable.`, "Write --env NAME=VALUE.");
  const value = at === -1 ? io.env[name] : word.slice(at + 1);
  if (value === undefined) throw usage(`The variable ${name} is not set here.`, `Write --env ${name}=VALUE.`);
  return [name, value];
}

function label(word: string): [string, string] {
  const at = word.indexOf("=");
  return at === -1 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
}

/** `PATH` or `PATH=AS`; without AS a relative path below the current folder keeps its folders. */
async function filePart(io: Io, word: string): Promise<Part> {
  const whole = await stat(path.resolve(io.cwd, word)).catch(() => null);
  const at = whole === null ? word.lastIndexOf("=") : -1;
  const given = at === -1 ? word : word.slice(0, at);
  const file = path.resolve(io.cwd, given);
  const found = whole ?? (await stat(file).catch(() => null));
  if (!found?.isFile())
    throw usage(`There is no file '${given}' to send.`, "Write --file PATH or --file PATH=AS.");
  const relative = path.relative(io.cwd, file);
  const below = relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
  const as = at === -1 ? (below ? relative : path.basename(file)) : word.slice(at + 1);
  return {
    name: "files",
    filename: path.posix.normalize(as.split(path.sep).join("/")),
    content_type: "application/octet-stream",
    open: () => createReadStream(file),
  };
}

function usage(message: string, hint: string): AppError {
  return new AppError({ code: "usage", message, hint });
}
