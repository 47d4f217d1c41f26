import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Job } from "../contract/job.ts";
import { onFollow, output, type World, world, zipOf } from "./cli-world.fake.ts";
import { type FakeIo, runFake } from "./io.fake.ts";

const WORKING = { type: "phase.changed", data: { phase: "working", status: "running" } } as const;

type Running = World & { process_io: FakeIo; ended: Promise<FakeIo> };

/** `run` on a terminal, of a job that does what the test says once it is followed. */
async function running(
  t: TestContext,
  begin: (server: World["server"], id: string) => void,
): Promise<Running> {
  const made = await world(t);
  const process_io = made.io({ terminal: true, columns: 60, env: { NO_COLOR: "1" } });
  onFollow(made.server, (id) => {
    made.server.emit(id, WORKING);
    begin(made.server, id);
  });
  return { ...made, process_io, ended: runFake(process_io, ["run", "do it"]) };
}

function jobOf({ server }: World): Job {
  const [job] = server.jobs;
  assert.ok(job);
  return job;
}

const decisions = ({ server }: World) =>
  server.received
    .filter(({ path }) => path.includes("/approvals/"))
    .map(({ path, body }) => [path.split("/").at(-1), JSON.parse(String(body)).decision]);
const messages = ({ server }: World) =>
  server.received
    .filter(({ path }) => path.endsWith("/messages"))
    .map(({ body }) => JSON.parse(String(body)).text);

test("a question is shown with all of its detail and answered in place of the status line", async (t) => {
  const zip = await zipOf({ a: "1" });
  const run = await running(t, (server, id) => {
    server.on_decision = () => server.end(id, {}, zip);
    server.ask(id, 1, "npm install", new Date(Date.now() + 90_000).toISOString());
  });
  await run.process_io.saw("allow 1? y/n (1 m");
  assert.match(run.process_io.out(), /\? Question 1 \(step\): npm install\n {2}│ the whole of npm install\n/);
  run.process_io.type("perhaps\r");
  await run.process_io.saw("Type y to allow it or n to deny it");
  run.process_io.type("YES\r");
  await run.ended;
  assert.deepEqual(decisions(run), [["1", "allow"]]);
  assert.deepEqual(messages(run), []);
  assert.match(run.process_io.out(), /✓ Question 1: allowed\.\n/);
  assert.equal(run.process_io.code(), 0);
  assert.doesNotMatch(run.process_io.out(), /sealwork approve/);
});

test("what was half typed for the agent never becomes an answer, and questions are answered in their order", async (t) => {
  const zip = await zipOf({ a: "1" });
  const run = await running(t, (server, id) => {
    server.on_decision = (_id, n) => {
      if (n === 2) server.end(id, {}, zip);
    };
  });
  await run.process_io.saw("working");
  run.process_io.type("y");
  await run.process_io.saw("to the agent › y");
  run.server.ask(jobOf(run).job_id, 1, "first");
  run.server.ask(jobOf(run).job_id, 2, "second");
  await run.process_io.saw("Question 2");
  run.process_io.type("\r");
  run.process_io.type("n\r");
  await run.process_io.saw("Question 1: denied");
  await run.process_io.saw("allow 2? y/n");
  run.process_io.type("y\r");
  await run.ended;
  assert.deepEqual(decisions(run), [
    ["1", "deny"],
    ["2", "allow"],
  ]);
});

test("an answer that was given elsewhere withdraws the question and what was typed for it", async (t) => {
  const run = await running(t, (server, id) => server.ask(id, 1, "npm install"));
  await run.process_io.saw("allow 1? y/n");
  run.process_io.type("y");
  await run.process_io.saw("allow 1? y/n › y");
  run.server.decide(jobOf(run).job_id, 1, "deny");
  await run.process_io.saw("Question 1: denied");
  const before = run.process_io.out().length;
  run.process_io.type("\r");
  run.server.end(jobOf(run).job_id, {}, await zipOf({ a: "1" }));
  await run.ended;
  assert.deepEqual(decisions(run), []);
  assert.doesNotMatch(run.process_io.out().slice(before), /allow 1/);
});

test("an answer that the server refuses is told, and the question is asked again", async (t) => {
  const zip = await zipOf({ a: "1" });
  const run = await running(t, (server, id) => {
    server.ask(id, 1, "npm install");
    server.on_decision = () => server.end(id, {}, zip);
  });
  await run.process_io.saw("allow 1? y/n");
  const asked = jobOf(run);
  const open = asked.approvals;
  asked.approvals = [];
  run.process_io.type("y\r");
  await run.process_io.saw("Question 1 was not answered: Question 1 was answered: deny.");
  asked.approvals = open;
  run.process_io.type("y\r");
  await run.ended;
  assert.deepEqual(decisions(run), [
    ["1", "allow"],
    ["1", "allow"],
  ]);
});

test("a follow-up is typed while the agent waits; it is edited as in a shell", async (t) => {
  const zip = await zipOf({ a: "1" });
  const run = await running(t, (server, id) => {
    server.on_message = () => server.end(id, {}, zip);
    server.emit(id, { type: "message.said", data: { from: "agent", text: "It is done." } });
    server.emit(id, { type: "agent.waiting", data: { summary: "It is done.", linger_s: 600 } });
    server.emit(id, { type: "phase.changed", data: { phase: "waiting", status: "running" } });
  });
  await run.process_io.saw("follow-up (");
  assert.match(run.process_io.out(), /The job stays open 10 m for a follow-up: type it and/);
  // The summary was said already.
  assert.equal(run.process_io.out().match(/It is done\./g)?.length, 1);
  run.process_io.type("\r");
  run.process_io.type("Make it blu\x1b[D\x1b[D\x1b[Dxx\x7f\x7f\x05e\r");
  await run.ended;
  assert.deepEqual(messages(run), ["Make it blue"]);
  assert.match(run.process_io.out(), /person: Make it blue\n/);
});

test("words for an agent that takes none are told to be unsent, and the job goes on", async (t) => {
  const run = await running(t, (server) => {
    server.takes_messages = false;
  });
  await run.process_io.saw("working");
  run.process_io.type("hello\r");
  await run.process_io.saw("The message was not sent: The script agent takes no");
  // What was typed is still there.
  run.process_io.type("!");
  await run.process_io.saw("to the agent › hello!");
  run.server.end(jobOf(run).job_id, {}, await zipOf({ a: "1" }));
  await run.ended;
  assert.equal(run.process_io.code(), 0);
});

test("an answer that comes when nothing is asked (any more) is not sent to an agent at work", async (t) => {
  const run = await running(t, () => {});
  await run.process_io.saw("working");
  run.process_io.type("yes\r");
  await run.process_io.saw("No question waits for an answer, so yes was not sent.");
  run.server.end(jobOf(run).job_id, {}, await zipOf({ a: "1" }));
  await run.ended;
  assert.deepEqual(messages(run), []);
});

test("Ctrl-C on the keyboard cancels; after Ctrl-D nothing is read and the command that answers is named", async (t) => {
  const zip = await zipOf({ a: "1" });
  const run = await running(t, (server, id) => {
    server.on_cancel = () => server.end(id, { status: "cancelled" }, zip);
    server.ask(id, 1, "npm install");
  });
  await run.process_io.saw("allow 1? y/n");
  run.process_io.type("\x04");
  await run.process_io.saw("  → sealwork approve a1b2c3d4 1, or with --deny\n");
  run.process_io.type("y\r");
  run.process_io.interrupt();
  await run.ended;
  assert.deepEqual(decisions(run), []);

  const again = await running(t, (server, id) => {
    server.on_cancel = () => server.end(id, { status: "cancelled" }, zip);
    server.emit(id, output("here\n"));
  });
  await again.process_io.saw("here");
  again.process_io.type("\x03");
  await again.ended;
  assert.equal(again.process_io.code(), 3);
});

test("without a terminal the question comes with the command that answers it, and no key is read", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  onFollow(server, (id) => {
    server.ask(id, 1, "npm install");
    server.emit(id, { type: "agent.waiting", data: { summary: "All done.", linger_s: 60 } });
    server.end(id, {}, zip);
  });
  const done = await runFake(io({ stdin: "y\n" }), ["run", "do it"]);
  assert.match(
    done.out(),
    /\? Question 1 \(step\): npm install\n {2}│ the whole of npm install\n {2}→ sealwork approve a1b2c3d4 1, or with --deny\nagent: All done\.\nThe job stays open 1 m for a follow-up: sealwork send a1b2c3d4 "…"\./,
  );
  assert.doesNotMatch(done.out(), /[\x1b\r]/);
  assert.equal(server.received.filter(({ method }) => method === "POST").length, 1);
});

test("a script that stays open takes no words: whoever watches is told how to get into its sandbox", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  onFollow(server, (id) => {
    server.emit(id, { type: "job.scheduled", data: { prompt: "x", agent: "script", template: "base" } });
    server.emit(id, { type: "agent.waiting", data: { summary: "All done.", linger_s: 60 } });
    server.end(id, {}, zip);
  });
  const done = await runFake(io(), ["run", "do it"]);
  assert.match(
    done.out(),
    /stays open 1 m for whoever is at work in it: sealwork open a1b2c3d4, sealwork shell/,
  );
  assert.doesNotMatch(done.out(), /sealwork send/);
});
