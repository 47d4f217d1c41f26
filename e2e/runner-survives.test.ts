import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Event } from "../src/contract/event.ts";
import type { Job } from "../src/contract/job.ts";
import { script, TestOrchestrator } from "./harness.ts";
import { assertNothingLeft } from "./job-checks.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

type StepEnded = Extract<Event, { type: "step.ended" }>["data"];

async function runJob(
  prompt: string,
): Promise<{ job: Job; job_id: string; printed: string; steps: StepEnded[] }> {
  const job_id = await orchestrator.schedule({ prompt });
  const job = await orchestrator.ended(job_id);
  const events = await orchestrator.allEvents(job_id);
  const steps = events.flatMap((event) => (event.type === "step.ended" ? [event.data] : []));
  // One that died and was replaced would have gone on as if nothing had happened.
  const linked = events.filter((event) => event.type === "sandbox.linked" && !event.data.relinked);
  assert.equal(linked.length, job.reason?.code === "sandbox_died" ? 2 : 1);
  return { job, job_id, printed: await orchestrator.logs(job_id), steps };
}

const going_on = (block: string): string => `\`\`\`sh continue\n${block}\n\`\`\``;

test("`pkill node` and `kill -9 1` end neither the runner nor the job", async () => {
  const { job, printed } = await runJob(
    script(
      "pkill node || true; pkill -9 node || true; killall -q -9 node || true; echo pkill",
      "kill -9 1; kill -STOP 1; kill 1; echo kill",
      'node -e "process.kill(1, 9)"; echo node',
      "cat /proc/1/comm",
    ),
  );
  assert.equal(job.status, "complete", printed);
  assert.deepEqual(printed.trim().split("\n").slice(0, 3), ["pkill", "kill", "node"]);
});

test("no signal at all that a step sends to the runner changes anything", async () => {
  const { job, printed } = await runJob(
    script(
      "for round in 1 2 3; do for n in $(seq 1 64); do kill -$n 1 2>/dev/null || true; done; done; echo sent",
      "echo the next step runs; head -c 300000 /dev/zero | wc -c",
    ),
  );
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(printed, "sent\nthe next step runs\n300000\n");
});

test("`kill -9 -1` ends at most the step, which says so; one marked `continue` is followed by the next", async () => {
  const { job, job_id, steps } = await runJob(
    script("echo kept > kept.txt", "kill -9 -1; sleep 600", "echo never"),
  );
  assert.equal(job.status, "error");
  assert.equal(job.reason?.code, "step_failed");
  assert.deepEqual(
    steps.map(({ ok }) => ok),
    [true, false],
  );
  assert.equal((await orchestrator.zip(job_id)).get("kept.txt")?.content.toString(), "kept\n");

  const second = await runJob(`${going_on("kill -9 -1; sleep 600")}\n\n${script("echo the next step runs")}`);
  assert.equal(second.job.status, "complete", JSON.stringify(second.job.reason));
  assert.match(second.printed, /the next step runs/);
});

test("whoever kills what watches over a step ends that step and no more", async () => {
  const { job, printed, steps } = await runJob(
    `${going_on("pkill -9 reaper; sleep 600")}\n\n${going_on("pkill -STOP reaper; pkill -CONT reaper; echo stopped for a moment")}\n\n${script("echo the next step runs")}`,
  );
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(steps[0]?.ok, false);
  assert.equal(steps[0]?.cause, "reaper_lost");
  assert.equal(printed, "stopped for a moment\nthe next step runs\n");
});

test("a limit that a step puts on the runner ends the sandbox, and the work so far comes back with the reason", async () => {
  const { job, job_id } = await runJob(
    script("echo kept > kept.txt", "prlimit --pid 1 --cpu=1:1; yes | head -c 60M; sleep 600", "echo never"),
  );
  assert.equal(job.status, "error");
  assert.equal(job.reason?.code, "sandbox_died");
  assert.match(job.reason?.message ?? "", /137/);
  assert.equal((await orchestrator.zip(job_id)).get("kept.txt")?.content.toString(), "kept\n");
  await assertNothingLeft(orchestrator, job_id);
});

test("a thousand steps that each leave an orphan behind leave no zombie", async () => {
  const orphans = Array.from({ length: 998 }, () => "(sleep 0.01 &) ; true");
  const count = "cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | cut -c1";
  const { job, printed, steps } = await runJob(
    script(
      "true",
      ...orphans,
      `sleep 0.5; echo states; ${count}; echo processes; ls -d /proc/[0-9]* | wc -l`,
    ),
  );
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(steps.length, 1000);
  const [, states = "", processes] = /states\n([\s\S]*)processes\n(\d+)/.exec(printed) ?? [];
  assert.ok(states.includes("S"), printed);
  assert.ok(!states.includes("Z"), printed);
  assert.ok(Number(processes) < 12, printed);
});

test("a daemon that left its session lives until the job ends, and goes with it", async () => {
  const { job, job_id, printed } = await runJob(
    [
      script(
        "setsid -f bash -c 'trap \"\" TERM HUP; while :; do date +%s%N > ~/beat; sleep 0.05; done' > /dev/null 2>&1",
        'until [ -e ~/beat ]; do sleep 0.05; done; first=$(cat ~/beat); until [ "$(cat ~/beat)" != "$first" ]; do sleep 0.05; done; echo it lives',
      ),
      "```python\nimport os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.execvp('sleep', ['sleep', '601'])\n    os._exit(0)\nos.wait()\n```",
      script("pgrep -f 'sleep 60[1]' > /dev/null && echo so does the other"),
    ].join("\n\n"),
  );
  assert.equal(job.status, "complete", printed);
  assert.equal(printed, "it lives\nso does the other\n");
  await assertNothingLeft(orchestrator, job_id);
});
