import assert from "node:assert/strict";
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { decodeOutput, RUNNER_EVENTS, type RunnerEventBody } from "../../contract/event.ts";
import { EVENT_MAX_BYTES } from "../../contract/event-bounds.ts";
import { Blobs } from "../blobs.ts";
import { ToolProcesses } from "../process/tool-processes.ts";
import { Steps } from "../steps.ts";
import { openTools } from "./open-tools.ts";
import type { ToolOutcome } from "./tool.ts";

/** What one call of a tool came to, with the events that it said. */
export type Called = ToolOutcome & { step: number; events: RunnerEventBody[]; output: string };

/** Test support: the real tools on a home of their own, called as an agent calls them. */
export async function toolsAt(
  options: { reaper_path: string; folder: string },
  given: { home?: string; oomKills?: () => Promise<number | null>; env?: Record<string, string> } = {},
) {
  const home = given.home ?? (await mkdtemp(join(options.folder, "home-")));
  const workspace = join(home, "workspace");
  const scratch = await mkdtemp(join(options.folder, "scratch-"));
  await mkdir(workspace, { recursive: true });
  const oomKills = given.oomKills ?? (async () => null);
  const processes = new ToolProcesses({ reaper_path: options.reaper_path, folder: options.folder, oomKills });
  const env = { PATH: process.env.PATH ?? "", HOME: home, LANG: "C.UTF-8", ...given.env };
  const open = openTools({ home, workspace, scratch, env, processes });
  const events: RunnerEventBody[] = [];
  const steps = new Steps({
    blobs: new Blobs({ folder: join(home, ".sealwork", "blobs") }),
    first: 0,
    async emit(body) {
      assert.ok(RUNNER_EVENTS[body.type].safeParse(body.data).success, JSON.stringify(body).slice(0, 500));
      assert.ok(Buffer.byteLength(JSON.stringify(body)) < EVENT_MAX_BYTES, body.type);
      events.push(body);
    },
  });
  return {
    home,
    workspace,
    scratch,
    tools: open.tools,
    /** Calls a tool with what a model would send. */
    async call(name: string, args: object, signal = new AbortController().signal): Promise<Called> {
      const tool = open.tools.find((one) => one.name === name);
      assert.ok(tool !== undefined, `there is no tool ${name}`);
      const input = tool.input.parse(args);
      const from = events.length;
      const subject = { tool: tool.step, ...tool.describe(input) };
      const result = await steps.run(subject, signal, (context) => tool.run(input, context));
      const own = events.slice(from);
      const pieces = own.flatMap((event) => (event.type === "step.output" ? [decodeOutput(event.data)] : []));
      return { ...result, events: own, output: Buffer.concat(pieces).toString() };
    },
    async [Symbol.asyncDispose]() {
      await open[Symbol.asyncDispose]();
      await processes[Symbol.asyncDispose]();
    },
  };
}
