import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AgentsPlace, assertComplete, call, ofType, type Turn } from "./agents.ts";
import { text } from "./job-checks.ts";

// The real Gemini CLI of the image `agents`, which is chosen by itself, against the scripted provider.
let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start({ config: { concurrency: 3 } });
});
after(() => place[Symbol.asyncDispose]());

const TASK = "Add up the squares of the numbers from 1 to 100 and leave the sum in result.txt.";
const command = (code: string) => call("run_shell_command", { command: code, description: "Runs it" });
const SUM = "python3 -c 'print(sum(n * n for n in range(1, 101)))' | tee result.txt";

const SUM_OF_SQUARES: Turn[] = [
  {
    when: { user: "squares of the numbers", tools: ["run_shell_command", "write_file"] },
    answer: { text: "I add them up.", ...command(SUM) },
  },
  {
    when: { result: "338350" },
    answer: call("write_file", {
      file_path: "/home/agent/workspace/report.md",
      content: "The sum is 338350.\n",
    }),
  },
  { when: { last: "result" }, answer: { text: "The sum is 338350; it is in result.txt." } },
];

describe("the Gemini CLI", { concurrency: 3 }, () => {
  test("carries the same sentence out: what it says and does are events, and the files are in the ZIP", async () => {
    const { job, events, zip, printed } = await place.run(
      "cli-sums",
      { turns: SUM_OF_SQUARES },
      { agent: "gemini-cli", prompt: TASK },
    );
    assertComplete({ job });
    assert.deepEqual([job.agent, job.template], ["gemini-cli", "agents"]);
    assert.equal(text(zip, "result.txt"), "338350\n");
    assert.equal(text(zip, "report.md"), "The sum is 338350.\n");
    assert.match(job.result?.summary ?? "", /The sum is 338350; it is in result\.txt\./);
    const said = ofType(events, "message.said").filter(({ from }) => from === "agent");
    assert.match(said.map((one) => one.text).join("\n"), /I add them up\..*The sum is 338350/s);
    const steps = ofType(events, "step.started");
    assert.deepEqual(
      steps.map(({ tool }) => tool),
      ["shell", "file"],
    );
    assert.equal(steps[0]?.code, SUM);
    assert.ok(ofType(events, "step.ended").every(({ ok }) => ok));
    assert.match(printed, /338350/);
    assert.deepEqual(ofType(events, "egress.denied"), [], "it reaches for nothing that it may not");
    // What a command wrote is found by the watch, which is quicker or slower than the CLI's own word on what it edited.
    const changed = ofType(events, "file.changed").find(({ path }) => path === "report.md");
    assert.equal(changed?.change, "created");
    assert.match(changed?.diff ?? "", /^\+The sum is 338350\.$/m);
    assert.equal(ofType(events, "model.called").length, job.usage.model_calls);
    assert.ok(job.usage.model_calls >= 3 && job.usage.input_tokens > 0);
    assert.ok(![...zip.keys()].some((path) => path.startsWith(".gemini")), "its own files are no result");
  });

  test("asks for permission, which a person gives or not, and takes a follow-up in the same session", async () => {
    const { orchestrator } = place;
    const { job_id, play } = await place.begin(
      "cli-asks",
      {
        turns: [
          { answer: command("echo allowed > allowed.txt") },
          { when: { last: "result" }, answer: { text: "The first is done." } },
          {
            when: { user: "Now another.", anywhere: "allowed.txt" },
            answer: command("echo denied > denied.txt"),
          },
        ],
        rules: [{ when: { anywhere: "denied.txt" }, answer: { text: "Then not." } }],
      },
      { agent: "gemini-cli", prompt: "Write allowed.txt.", approval: { policy: "risky" }, linger_s: 120 },
    );
    const first = await orchestrator.until(job_id, ({ type }) => type === "approval.asked");
    assert(first.type === "approval.asked");
    assert.equal(first.data.kind, "permission");
    assert.match(first.data.title + first.data.detail, /echo allowed > allowed\.txt/);
    assert.equal((await orchestrator.job(job_id)).phase, "waiting");
    await orchestrator.answer(job_id, 1, "allow");
    await orchestrator.until(job_id, ({ type }) => type === "agent.waiting");
    await orchestrator.message(job_id, "Now another.");
    await orchestrator.until(job_id, (event) => event.type === "approval.asked" && event.data.n === 2);
    await orchestrator.answer(job_id, 2, "deny");
    let waits = 0;
    await orchestrator.until(job_id, ({ type }) => type === "agent.waiting" && ++waits === 2);
    // Nothing but the waiting is left to be cancelled.
    await orchestrator.cancel(job_id);
    const { job, zip } = await place.done(job_id);
    assertComplete({ job });
    play.assertFinished();
    assert.equal(text(zip, "allowed.txt"), "allowed\n");
    assert.ok(!zip.has("denied.txt"));
  });

  test("is cancelled in the middle of its work, which is packed as it is", async () => {
    const { orchestrator } = place;
    const { job_id, play } = await place.begin(
      "cli-cancelled",
      { turns: [{ answer: command("echo kept > kept.txt") }, { answer: { text: "never", hold: "never" } }] },
      { agent: "gemini-cli", prompt: "Write kept.txt." },
    );
    await play.asked(2);
    await orchestrator.cancel(job_id);
    const { job, zip } = await place.done(job_id);
    assert.equal(job.status, "cancelled");
    assert.equal(text(zip, "kept.txt"), "kept\n");
    await play.abandoned(1);
  });

  test("says why when its provider refuses", async () => {
    const { job } = await place.run(
      "cli-refused",
      { rules: [{ when: {}, answer: { error: { status: 400, message: "This key is out of use." } } }] },
      { agent: "gemini-cli", prompt: "Do anything." },
    );
    assert.deepEqual([job.status, job.reason?.code], ["error", "agent_failed"]);
    assert.match(job.reason?.message ?? "", /This key is out of use/);
  });
});
