import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AgentsPlace, assertComplete, call, finish, ofType, plan, shell } from "./agents.ts";
import { run } from "./harness.ts";
import { assertNothingLeft, assertReason, container, text } from "./job-checks.ts";

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start();
});
after(() => place[Symbol.asyncDispose]());

const kill = (id: string) => run("docker", ["kill", "--signal", "KILL", id]);

test("when the sandbox is killed another takes over on the same volume and goes on where it was", async () => {
  const { orchestrator } = place;
  const { job_id, play } = await place.begin("killed-once", {
    turns: [
      plan([{ title: "both are there", command: "cat before.txt after.txt" }]),
      { answer: shell("echo before > before.txt; export LOST=1") },
      { answer: { ...shell("echo never"), hold: "killed" } },
    ],
    rules: [
      {
        when: { anywhere: { pattern: "before\\.txt[^]*another one took over" }, choice: "auto" },
        answer: shell('echo "after, $LOST is lost" > after.txt; cat before.txt'),
        times: 1,
      },
      { when: { result: "before", choice: "auto" }, answer: { text: "It is done." } },
      { when: { choice: "none" }, answer: { text: "Both are there." } },
    ],
  });
  await play.asked(3);
  await kill(await container(orchestrator, job_id));
  const { job, events, zip } = await place.done(job_id);
  assertComplete({ job });
  assert.deepEqual(play.failures, []);
  assert.equal(text(zip, "before.txt"), "before\n");
  assert.equal(text(zip, "after.txt"), "after,  is lost\n");
  assert.equal(ofType(events, "sandbox.replaced").length, 1);
  assert.equal(ofType(events, "plan.made").length, 1, "it did not start over");
  assert.equal(job.result?.summary, "Both are there.");
  await assertNothingLeft(orchestrator, job_id);
});

test("the Gemini CLI goes on too when its sandbox is killed, with the files as it left them", async () => {
  const { orchestrator } = place;
  const command = (code: string) => call("run_shell_command", { command: code, description: "Runs it" });
  const { job_id, play } = await place.begin(
    "cli-killed",
    {
      turns: [{ answer: command("echo before > before.txt") }, { answer: { text: "never", hold: "killed" } }],
      rules: [
        {
          // This CLI cannot load a session that it began in the same minute (0.61 writes over it), so its memory may be lost.
          when: { user: "sandbox was lost", last: "user" },
          answer: command("cat before.txt > after.txt"),
        },
        { when: { anywhere: "cat before.txt", last: "result" }, answer: { text: "Both are there." } },
      ],
    },
    { agent: "gemini-cli" },
  );
  await play.asked(2);
  await kill(await container(orchestrator, job_id));
  const { job, events, zip } = await place.done(job_id);
  assertComplete({ job });
  assert.deepEqual(play.failures, []);
  assert.equal(text(zip, "after.txt"), "before\n");
  assert.equal(ofType(events, "sandbox.replaced").length, 1);
  assert.equal(job.result?.summary, "Both are there.");
});

test("a sandbox is replaced once; when the second one is killed too the job ends, with the work packed", async () => {
  const { orchestrator } = place;
  const { job_id, play } = await place.begin("killed-twice", {
    turns: [
      plan(),
      { answer: shell("echo kept > kept.txt") },
      { answer: { ...shell("echo never"), hold: "never" } },
    ],
  });
  await play.asked(3);
  const first = await container(orchestrator, job_id);
  await kill(first);
  await play.asked(4);
  const second = await container(orchestrator, job_id);
  assert.notEqual(second, first);
  await kill(second);
  const { job, zip } = await place.done(job_id);
  assertReason(job, "sandbox_died");
  assert.equal(text(zip, "kept.txt"), "kept\n");
  assert.deepEqual(play.failures, []);
  await assertNothingLeft(orchestrator, job_id);
});

test("an orchestrator that is killed and comes back goes on with the agent's work, and no step is done twice", async () => {
  const { orchestrator } = place;
  const { job_id, play } = await place.begin("restarted", {
    turns: [
      plan(),
      { answer: shell("echo one >> steps.txt") },
      { answer: { ...shell("echo two >> steps.txt"), hold: "back" } },
      ...finish("Two steps.", { last: "result" }),
    ],
  });
  await play.asked(3);
  await orchestrator.stop("SIGKILL");
  await play.abandoned(1);
  await orchestrator.restart();
  await play.asked(4);
  play.release("back");
  const { job, events, zip } = await place.done(job_id);
  assertComplete({ job });
  play.assertFinished();
  assert.equal(text(zip, "steps.txt"), "one\ntwo\n");
  assert.equal(ofType(events, "sandbox.replaced").length, 0);
  assert.equal(ofType(events, "step.started").length, 2);
});
