import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { LINK_FOLDER_INSIDE, LINK_PROTOCOL } from "../src/contract/link.ts";
import { dialLink } from "../src/runner/link/dial.ts";
import { Outbox } from "../src/runner/outbox.ts";
import { ToolProcesses } from "../src/runner/process/tool-processes.ts";
import { OutputAllowance, StepOutput } from "../src/runner/step-output.ts";
import { unserved } from "../src/runner/unserved.fake.ts";
import { Cgroup } from "../src/runner/watch/cgroup.ts";

/*
 * A runner for measurements only: each `start` runs its prompt as one new process, by the same reaper, pipes, outbox and link as the steps of
 * a job. It stands in for a request that runs a command in a living sandbox.
 */

const outbox = await Outbox.open({ folder: "/home/agent" });
const cgroup = new Cgroup();
const processes = new ToolProcesses({
  reaper_path: "/opt/sealwork/bin/reaper",
  folder: "/tmp",
  oomKills: () => cgroup.oomKills(),
});
const allowance = new OutputAllowance((body) => outbox.emit(body));
const never = new AbortController().signal;
const PATH = process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin";
let step = 0;

async function runProcess(command: string): Promise<void> {
  step += 1;
  const output = new StepOutput(step, (body) => outbox.emit(body), allowance);
  const result = await processes.run({
    argv: ["sh", "-c", command],
    cwd: "/home/agent/workspace",
    env: { PATH, HOME: "/home/agent" },
    stdin_path: null,
    onOutput: (stream, chunk) => output.write(stream, chunk),
    signal: never,
  });
  await output.end();
  await outbox.emit({ type: "step.ended", data: { step, ...result, ok: result.exit_code === 0 } });
}

dialLink({
  folder: LINK_FOLDER_INSIDE,
  outbox,
  handlers: {
    hello: () => ({
      protocol: LINK_PROTOCOL,
      version: "0.0.0",
      epoch: outbox.epoch,
      job_id: null,
      secret: null,
    }),
    async start({ prompt }) {
      void runProcess(prompt);
    },
    async stop() {},
    async message() {},
    async quiesce() {},
    async upload() {
      assert.fail("Nothing is uploaded in a measurement.");
    },
    pack: () => Readable.from([]),
    ...unserved(),
    list: async ({ path }) => ({ path, entries: [], truncated: false }),
    read: async () => ({ size_bytes: 0, content: Readable.from([]) }),
    blob: async () => Readable.from([]),
  },
});
