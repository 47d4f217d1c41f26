import assert from "node:assert/strict";
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { AgentCli } from "../../../contract/agent-cli.ts";
import { RUNNER_EVENTS, type RunnerEventBody } from "../../../contract/event.ts";
import { EVENT_MAX_BYTES } from "../../../contract/event-bounds.ts";
import { Limits } from "../../../contract/limits.ts";
import type { Question, Start } from "../../../contract/link.ts";
import { Blobs } from "../../blobs.ts";
import { Inbox } from "../../inbox.ts";
import { StopCause, ToolProcesses } from "../../process/tool-processes.ts";
import type { AgentPlace } from "../agent.ts";

export type Given = {
  cli: Partial<AgentCli> & { command: string[] };
  start?: Partial<Start>;
  home?: string;
  ask?: AgentPlace["ask"];
  env?: Record<string, string>;
};

/** Test support: a place for an agent on this machine, under the real reaper, that keeps what is said. */
export class TestPlace implements AsyncDisposable {
  readonly events: RunnerEventBody[] = [];
  readonly questions: Question[] = [];
  readonly place: AgentPlace;
  readonly #stopping = new AbortController();
  readonly #watchers = new Set<() => void>();

  private constructor(reaper: { path: string; folder: string }, home: string, given: Given) {
    const processes = new ToolProcesses({
      reaper_path: reaper.path,
      folder: reaper.folder,
      oomKills: async () => null,
    });
    const emit = async (body: RunnerEventBody): Promise<void> => {
      const parsed = RUNNER_EVENTS[body.type].safeParse(body.data);
      assert.ok(parsed.success, `${body.type}: ${parsed.error?.message}`);
      assert.ok(Buffer.byteLength(JSON.stringify(body)) < EVENT_MAX_BYTES - 200, body.type);
      this.events.push(body);
      for (const look of this.#watchers) look();
    };
    this.place = {
      start: {
        job_id: "0190a6c0-0000-7000-8000-000000000001",
        secret: "",
        agent: "scripted",
        prompt: "",
        model: {
          provider: "google",
          protocol: "google",
          model: "m-1",
          context_tokens: 1000,
          max_output_tokens: 100,
        },
        cli: AgentCli.parse({ protocol: "google", ...given.cli }),
        approval: "never",
        linger_s: 0,
        network: { egress: false, npm_registry: null, pip_index_url: null, ca_pem: null },
        egress: { policy: "none", hosts: [] },
        env: {},
        limits: Limits.parse({}),
        resume: false,
        ...given.start,
      },
      home,
      workspace: join(home, "workspace"),
      scratch: reaper.folder,
      env: { PATH: process.env.PATH ?? "", HOME: home, ...given.env },
      processes,
      blobs: new Blobs({ folder: join(home, ".sealwork", "blobs") }),
      emit,
      inbox: new Inbox(emit),
      ask: async (question) => {
        this.questions.push(question);
        return (given.ask ?? (async () => "allow" as const))(question);
      },
      signal: this.#stopping.signal,
    };
  }

  static async make(reaper: { path: string; folder: string }, given: Given): Promise<TestPlace> {
    const home = given.home ?? (await mkdtemp(join(reaper.folder, "home-")));
    await mkdir(join(home, "workspace"), { recursive: true });
    return new TestPlace(reaper, home, given);
  }

  stop(cause: StopCause["stop"]): void {
    this.#stopping.abort(new StopCause(cause));
  }

  /** Resolves with the first event of this type, as soon as there is one. */
  async event<T extends RunnerEventBody["type"]>(type: T): Promise<Extract<RunnerEventBody, { type: T }>> {
    const found = Promise.withResolvers<Extract<RunnerEventBody, { type: T }>>();
    const look = (): void => {
      const event = this.events.find(
        (one): one is Extract<RunnerEventBody, { type: T }> => one.type === type,
      );
      if (event !== undefined) found.resolve(event);
    };
    this.#watchers.add(look);
    look();
    const event = await found.promise;
    this.#watchers.delete(look);
    return event;
  }

  /** The events in short, as a person would read them; pieces of one output are put together. */
  told(): string[] {
    const lines: string[] = [];
    let output = "";
    for (const { type, data } of this.events) {
      const into = type === "step.output" ? `${data.step} ${data.stream}: ` : "";
      if (type === "step.output" && into === output) lines.push(`${lines.pop()}${data.data}`);
      else
        lines.push(
          type === "step.output" ? `${into}${data.data}` : inShort({ type, data } as RunnerEventBody),
        );
      output = into;
    }
    return lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.place.processes[Symbol.asyncDispose]();
  }
}

function inShort({ type, data }: RunnerEventBody): string {
  if (type === "message.said") return `${data.from}: ${data.text}`;
  if (type === "step.started") return `${data.step} ${data.tool}: ${data.title} | ${data.code}`;
  if (type === "step.ended")
    return `${data.step} ${data.cause} ${data.exit_code} ${data.message ?? ""}`.trimEnd();
  if (type === "file.changed") return `${data.change} ${data.path}\n${data.diff}`;
  if (type === "plan.made")
    return `plan: ${data.steps.map(({ title, state }) => `${title}=${state}`).join(", ")}`;
  return type;
}
