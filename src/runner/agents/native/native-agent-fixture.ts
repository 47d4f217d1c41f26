import assert from "node:assert/strict";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LanguageModel } from "ai";
import { z } from "zod";
import { RUNNER_EVENTS, type RunnerEventBody } from "../../../contract/event.ts";
import type { Question, Start } from "../../../contract/link.ts";
import { Blobs } from "../../blobs.ts";
import { Inbox } from "../../inbox.ts";
import { ToolProcesses } from "../../process/tool-processes.ts";
import { openTools } from "../../tools/open-tools.ts";
import type { AgentTool } from "../../tools/tool.ts";
import type { AgentPlace, Conversation } from "../agent.ts";
import { openConversation } from "./native-agent.ts";

export type Given = {
  folder: string;
  reaper_path: string;
  model: { readonly model: LanguageModel };
  /** The home of an agent that was there before; a new one when left out. */
  home?: string;
  start?: Partial<Start>;
  /** Two simple ones when left out; `real` are those that a job has. */
  tools?: AgentTool[] | "real";
  answer?: (question: Question) => "allow" | "deny";
  stopping?: AbortController;
  onEvent?: (body: RunnerEventBody) => void | Promise<void>;
};

/** Test support: an agent in a folder of its own, with real processes and the events that it said. */
export async function nativeAgent(given: Given) {
  const home = given.home ?? (await mkdtemp(join(given.folder, "home-")));
  const workspace = join(home, "workspace");
  await mkdir(workspace, { recursive: true });
  const events: RunnerEventBody[] = [];
  const questions: Question[] = [];
  const emit = async (body: RunnerEventBody): Promise<void> => {
    assert.ok(RUNNER_EVENTS[body.type].safeParse(body.data).success, JSON.stringify(body).slice(0, 2000));
    events.push(body);
    await given.onEvent?.(body);
  };
  const inbox = new Inbox(emit);
  const processes = new ToolProcesses({
    reaper_path: given.reaper_path,
    folder: given.folder,
    oomKills: async () => null,
  });
  const { signal } = given.stopping ?? new AbortController();
  const start = { ...START, ...given.start };
  const place: AgentPlace = {
    start,
    home,
    workspace,
    scratch: given.folder,
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: home },
    processes,
    blobs: new Blobs({ folder: join(home, "blobs") }),
    emit,
    inbox,
    async ask(question) {
      questions.push(question);
      signal.throwIfAborted();
      return given.answer?.(question) ?? "allow";
    },
    signal,
  };
  const waits: number[] = [];
  const conversation: Conversation = await openConversation({
    place,
    model: given.model.model,
    wait: async (ms) => {
      waits.push(ms);
    },
    openTools: (at) => {
      if (given.tools === "real") return openTools(at);
      const tools = given.tools ?? [shellTool(place), writeTool(workspace)];
      return { tools, [Symbol.asyncDispose]: async () => undefined };
    },
  });
  return {
    home,
    workspace,
    events,
    questions,
    waits,
    inbox,
    conversation,
    /** The events' types, each step with its title. */
    told: () => events.map(toldOf),
    async [Symbol.asyncDispose]() {
      await conversation[Symbol.asyncDispose]();
      await processes[Symbol.asyncDispose]();
    },
  };
}

/** Runs one command in a new bash. */
export function shellTool(place: AgentPlace): AgentTool<{ command: string }> {
  return {
    name: "shell",
    description: "Runs a command.",
    input: z.object({ command: z.string() }),
    step: "shell",
    changes: () => true,
    describe: ({ command }) => ({ title: command, code: command }),
    async run({ command }, context) {
      const chunks: Buffer[] = [];
      const result = await place.processes.run({
        argv: ["bash", "-c", command],
        cwd: place.workspace,
        env: place.env,
        stdin_path: null,
        signal: context.signal,
        onOutput: async (stream, chunk) => {
          chunks.push(chunk);
          await context.output(stream, chunk);
        },
      });
      return { ...result, for_model: `exit code ${result.exit_code}\n${Buffer.concat(chunks)}` };
    },
  };
}

function writeTool(workspace: string): AgentTool<{ path: string; content: string }> {
  return {
    name: "write_file",
    description: "Writes a file.",
    input: z.object({ path: z.string(), content: z.string() }),
    step: "file",
    changes: () => true,
    describe: ({ path, content }) => ({ title: path, code: content }),
    async run({ path, content }, context) {
      await writeFile(join(workspace, path), content);
      await context.fileChanged(path, null, content);
      const done = { cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 0 } as const;
      return { ...done, for_model: `Wrote ${path}.` };
    },
  };
}

function toldOf(body: RunnerEventBody): string {
  if (body.type === "step.started") return `step.started ${body.data.title}`;
  if (body.type === "step.ended") return `step.ended ${body.data.ok ? "ok" : "failed"}`;
  if (body.type === "message.said") return `message.said ${body.data.from}: ${body.data.text}`;
  if (body.type === "plan.made") return `plan.made ${body.data.steps.map(({ state }) => state).join(" ")}`;
  return body.type;
}

const START: Start = {
  job_id: "00000000-0000-7000-8000-000000000000",
  secret: "secret",
  agent: "native",
  prompt: "the task",
  model: {
    provider: "google",
    protocol: "google",
    model: "scripted",
    context_tokens: 200_000,
    max_output_tokens: 8_000,
  },
  cli: null,
  approval: "never",
  linger_s: 0,
  network: { egress: false, npm_registry: null, pip_index_url: null, ca_pem: null },
  egress: { policy: "none", hosts: [] },
  env: {},
  limits: {
    cpus: 2,
    memory_bytes: 2 ** 31,
    disk_bytes: 2 ** 33,
    pids: 512,
    timeout_s: 3600,
    idle_timeout_s: 1800,
  },
  resume: false,
};
