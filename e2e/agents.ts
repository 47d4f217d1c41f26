import assert from "node:assert/strict";
import type { Event, EventBody } from "../src/contract/event.ts";
import type { Job, JobRequestInput } from "../src/contract/job.ts";
import { TestOrchestrator } from "./harness.ts";
import { assertWhole, type Zip } from "./job-checks.ts";
import type { Play, Respond } from "./models/play.ts";
import type { AnswerInput, ScenarioInput, ToolCall, When } from "./models/scenario.ts";
import { ModelServer } from "./models/server.ts";

export type Turn = { when?: When; answer: AnswerInput };
type ConfigInput = NonNullable<NonNullable<Parameters<typeof TestOrchestrator.start>[0]>["config"]>;
export type Done = { job: Job; events: Event[]; zip: Zip; printed: string };

/** A provider of scripted models and an orchestrator that found it by the environment variables that people have. */
export class AgentsPlace {
  readonly models: ModelServer;
  readonly orchestrator: TestOrchestrator;

  private constructor(models: ModelServer, orchestrator: TestOrchestrator) {
    this.models = models;
    this.orchestrator = orchestrator;
  }

  /** Both are given the server that is to be configured. */
  static async start(
    options: {
      environment?: (models: ModelServer) => Record<string, string>;
      config?: ConfigInput | ((models: ModelServer) => ConfigInput);
    } = {},
  ): Promise<AgentsPlace> {
    const models = await ModelServer.start();
    const environment = (options.environment ?? gemini)(models);
    const { config: given = {} } = options;
    const config = typeof given === "function" ? given(models) : given;
    return new AgentsPlace(models, await TestOrchestrator.start({ environment, config }));
  }

  /** Has the model of this name play a script, and schedules a job for it. */
  async begin(
    model: string,
    script: ScenarioInput | Respond,
    request: Partial<JobRequestInput> = {},
  ): Promise<{ job_id: string; play: Play }> {
    const play = this.models.play(script, model);
    const prompt = `Do what the test ${model} wants.`;
    const job_id = await this.orchestrator.schedule({ prompt, model: `google/${model}`, ...request });
    return { job_id, play };
  }

  /** Waits for the end, and gives all that there is to look at. */
  async done(job_id: string): Promise<Done> {
    const job = await this.orchestrator.ended(job_id);
    const events = await this.orchestrator.allEvents(job_id);
    assertWhole(events);
    return {
      job,
      events,
      zip: await this.orchestrator.zip(job_id),
      printed: await this.orchestrator.logs(job_id),
    };
  }

  /** A job that runs to its end by a script all of which has to be played. */
  async run(
    model: string,
    script: ScenarioInput,
    request: Partial<JobRequestInput> = {},
  ): Promise<Done & { play: Play }> {
    const { job_id, play } = await this.begin(model, script, request);
    const done = await this.done(job_id);
    assert.doesNotThrow(() => play.assertFinished(), JSON.stringify(done.job.reason));
    return { ...done, play };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.orchestrator[Symbol.asyncDispose]();
    await this.models[Symbol.asyncDispose]();
  }
}

export function gemini(models: ModelServer): Record<string, string> {
  return { GEMINI_API_KEY: models.key, GOOGLE_GEMINI_BASE_URL: models.url };
}

export function call(name: string, args: ToolCall["args"]): AnswerInput {
  return { calls: [{ name, args }] };
}

export const shell = (command: string): AnswerInput => call("shell", { command });

/** The native agent's first turn: its plan. */
export function plan(checks: { title: string; command: string }[] = [], files: string[] = []): Turn {
  const steps = [{ title: "Do it", state: "active" }];
  return { when: { choice: "update_plan" }, answer: call("update_plan", { steps, files, checks }) };
}

/** The native agent's last turns: the work is said to be done, and then what there is. */
export function finish(summary: string, when: When = {}): Turn[] {
  return [
    { when, answer: { text: "It is done." } },
    { when: { choice: "none" }, answer: { text: summary } },
  ];
}

export function assertComplete({ job }: Pick<Done, "job">): void {
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
}

type DataOf<T extends EventBody["type"]> = Extract<EventBody, { type: T }>["data"];

/** What the events of one type say, in order. */
export function ofType<T extends EventBody["type"]>(events: readonly Event[], type: T): DataOf<T>[] {
  return events.filter((event) => event.type === type).map(({ data }) => data as DataOf<T>);
}
