import assert from "node:assert/strict";
import { access, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import type { AgentEnd } from "../agent.ts";
import { openWith } from "./acp-agent.ts";
import { type Given, TestPlace } from "./acp-place.fake.ts";

const TIMES = { initialize_ms: 20_000, session_ms: 20_000, cancel_ms: 5_000 };
const CLI = join(import.meta.dirname, "scripted-cli.fake.ts");

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

function scene(name: string, given: Partial<Given> = {}): Promise<TestPlace> {
  return TestPlace.make(reaper, { ...given, cli: { command: [process.execPath, CLI, name], ...given.cli } });
}

/** Runs turns of one conversation and ends it. */
async function turns(at: TestPlace, texts: string[], times = TIMES): Promise<AgentEnd[]> {
  await using conversation = await openWith(at.place, times);
  const ends: AgentEnd[] = [];
  for (const text of texts) ends.push(await conversation.turn(text));
  return ends;
}

async function failureOf(at: TestPlace, text = "go", times = TIMES): Promise<string> {
  const [end] = await turns(at, [text], times);
  assert.equal(end?.outcome, "failed");
  assert.equal(end.reason?.code, "agent_failed");
  return end.reason.message;
}

test("messages, plans, tool calls, their output and their changes become the events of a native agent", async () => {
  await using at = await scene("works");
  const [end] = await turns(at, ["the task"]);
  assert.deepEqual(end, { outcome: "complete", reason: null, exit_code: 0, summary: "Did: the task" });
  assert.deepEqual(at.told(), [
    "plan: do completed=done, do in_progress=active, do pending=pending",
    "agent: I will look first.",
    "1 shell: make it | make\nmake test",
    "1 stdout: one\ntwo\nthree",
    "1 exited 3",
    "2 file: Edit part.txt | part.txt",
    "modified part.txt\n--- a/part.txt\n+++ b/part.txt\n@@ -1,3 +1,3 @@\n a\n-old\n+new\n c\n",
    "2 exited 0",
    '3 web: Fetch | {\n  "url": "https://example.org"\n}',
    "3 stderr: refused",
    "3 exited 1",
    "4 shell: ls | ls",
    "4 stdout: raw\n",
    "4 exited 0",
    "5 shell: cat | cat",
    "5 stdout: fenced",
    "5 exited 0",
    "agent: Did: the task",
  ]);
});

test("a CLI that greets on its standard output is listened to all the same", async () => {
  await using at = await scene("greets");
  const [end] = await turns(at, ["x"]);
  assert.equal(end?.outcome, "complete");
});

test("a follow-up goes to the same session, and its summary is its own last message", async () => {
  await using at = await scene("works");
  const ends = await turns(at, ["first", "second"]);
  assert.deepEqual(
    ends.map((end) => end.summary),
    ["Did: first", "Did: second"],
  );
});

test("with the approval `never` a permission is given without a question, for one time", async () => {
  await using at = await scene("asks");
  const [end] = await turns(at, ["go"]);
  assert.equal(end?.summary, "The answer was id-allow_once.");
  assert.deepEqual(at.questions, []);
  assert.deepEqual(at.told().slice(0, 4), [
    "agent: May I?",
    `1 file: Writing to a.txt | ${join(at.place.workspace, "a.txt")}`,
    "created a.txt\n--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+A\n",
    "1 exited 0",
  ]);
});

for (const approval of ["risky", "always"] as const)
  for (const decision of ["allow", "deny"] as const)
    test(`with the approval \`${approval}\` a person who says ${decision} is obeyed`, async () => {
      await using at = await scene("asks", { start: { approval }, ask: async () => decision });
      const [end] = await turns(at, ["go"]);
      const answer = decision === "allow" ? "id-allow_once" : "id-reject_once";
      assert.equal(end?.summary, `The answer was ${answer}.`);
      const [question] = at.questions;
      assert.equal(question?.kind, "permission");
      assert.equal(question.title, "Writing to a.txt");
      assert.match(question.detail, /\+\+\+ b\/a\.txt\n@@ -0,0 \+1 @@\n\+A\n/);
      const began = at.events.some(({ type }) => type === "step.started");
      assert.equal(began, decision === "allow");
    });

test("a job that is stopped while a person is asked ends, and its agent is told that nothing was decided", async () => {
  const asked = Promise.withResolvers<void>();
  await using at = await scene("asks", {
    start: { approval: "always" },
    ask: () => {
      asked.resolve();
      return new Promise((_, reject) =>
        at.place.signal.addEventListener("abort", () => reject(at.place.signal.reason)),
      );
    },
  });
  const ended = turns(at, ["go"]);
  await asked.promise;
  at.stop("cancelled");
  const [end] = await ended;
  assert.equal(end?.outcome, "stopped");
  assert(at.told().includes("agent: The answer was none."));
});

test("what a turn stops for is told: limits and a refusal fail, so does a turn without word or deed", async () => {
  await using at = await scene("stops");
  const ends = await turns(at, [
    "max_tokens",
    "max_turn_requests",
    "refusal",
    "end_turn",
    "cancelled",
    "bored",
  ]);
  const words = [
    /no more tokens/,
    /no more model requests/,
    /refused/,
    /without saying or doing/,
    /cancelled its turn/,
    /a reason that is not known/,
  ];
  for (const [index, end] of ends.entries()) {
    assert.equal(end.outcome, "failed");
    assert.match(end.reason?.message ?? "", words[index] ?? /^$/);
  }
});

test("a step whose end the agent does not tell ends with its turn", async () => {
  await using at = await scene("leaves");
  const [end] = await turns(at, ["go"]);
  assert.equal(end?.outcome, "complete");
  assert.deepEqual(at.told(), [
    "1 shell: long | long",
    "1 cancelled null The agent's turn ended before it said how this step did.",
  ]);
});

test("a stop is told to the agent, which has a moment to end its steps", async () => {
  await using at = await scene("slow");
  const ended = turns(at, ["go"]);
  await at.event("step.started");
  at.stop("cancelled");
  const [end] = await ended;
  assert.deepEqual(end, {
    outcome: "stopped",
    reason: null,
    exit_code: null,
    summary: "The job was stopped after 1 step.",
  });
  assert.deepEqual(at.told().slice(1), ["1 stdout: cancelled by the client", "1 exited 1"]);
});

test("an agent that does not heed a stop is killed, and its step ends as stopped", async () => {
  await using at = await scene("deaf");
  const ended = turns(at, ["go"], { ...TIMES, cancel_ms: 50 });
  await at.event("step.started");
  at.stop("timed_out");
  const [end] = await ended;
  assert.equal(end?.outcome, "stopped");
  assert.deepEqual(at.told().slice(1), ["1 timed_out null"]);
});

test("a CLI that crashes ends the job with its exit code and the last that it wrote", async () => {
  await using at = await scene("crashes");
  const message = await failureOf(at);
  assert.match(
    message,
    /ended by itself with exit code 7\. The last that it wrote: \w+ (?:noise )+out of luck$/,
  );
  assert(message.length < 2000);
  assert.match(at.told().at(-1) ?? "", /^1 cancelled/);
});

test("a program that the image lacks is named, with the template that has it", async () => {
  await using at = await scene("", { cli: { command: ["no-such-agent"], template: "agents" } });
  assert.match(await failureOf(at), /no-such-agent is not in this image\. Choose the template agents/);
});

test("every way to fail before the first turn says what it was", async () => {
  const cases: Record<string, RegExp> = {
    "dies-early": /ended by itself with exit code 4/,
    hangs: /did not answer `initialize` within 0\.2 s/,
    "old-protocol": /version 99 of the Agent Client Protocol/,
    prints: /does not speak the Agent Client Protocol.*The last that it wrote: .*Welcome to a chat!/s,
    "wants-browser": /wants a sign-in, and offers no way that needs only a key \(it offers: oauth\)/,
    speechless: /answer to `session\/prompt` is none that the Agent Client Protocol knows/,
    "refuses-prompt": /The agent failed: Internal error: the model is gone\./,
  };
  for (const [name, words] of Object.entries(cases)) {
    await using at = await scene(name);
    const times = name === "hangs" ? { ...TIMES, initialize_ms: 200 } : TIMES;
    assert.match(await failureOf(at, "go", times), words, name);
  }
});

test("an agent that wants a sign-in gets the one that needs only a key", async () => {
  await using at = await scene("signs-in");
  const [end] = await turns(at, ["go"]);
  assert.equal(end?.summary, "signed in");
});

test("arguments, environment and files know the model's address, its name and a dummy key", async () => {
  const cli = {
    command: [process.execPath, CLI, "shows", "{model}"],
    env: { MODEL_URL: "{base_url}", KEY: "{key}" },
    files: { ".config/agent/settings.json": '{"url":"{base_url}/v1","model":"{model}"}' },
  };
  const model = {
    provider: "mine",
    protocol: "openai" as const,
    model: 'odd"name',
    context_tokens: 1,
    max_output_tokens: 1,
  };
  await using at = await scene("", { cli, start: { model }, env: { FROM_JOB: "job" } });
  const [end] = await turns(at, ["go"]);
  assert.equal(end?.summary, 'http://127.0.0.1:24801/mine sealwork job odd"name');
  const written = await readFile(join(at.place.home, ".config/agent/settings.json"), "utf8");
  assert.deepEqual(JSON.parse(written), { url: "http://127.0.0.1:24801/mine/v1", model: 'odd"name' });
});

test("a file of the CLI's that would leave home is refused", async () => {
  for (const [path, words] of [
    ["../x", /lies outside the home folder/],
    ["out/x", /leads out of/],
  ] as const) {
    await using at = await scene("works", { cli: { command: ["x"], files: { [path]: "" } } });
    await symlink("/tmp", join(at.place.home, "out"));
    assert.match(await failureOf(at), words);
  }
});

test("a later runner goes on in the session that the CLI kept, numbers steps on, and tells nothing twice", async () => {
  await using first = await scene("remembers");
  await turns(first, ["one", "die"]);
  // As the death of a sandbox leaves it: the last step has not ended.
  const kept = join(first.place.home, ".sealwork/agent-session.json");
  const state = JSON.parse(await readFile(kept, "utf8"));
  await writeFile(kept, JSON.stringify({ ...state, open_steps: [2] }));
  await using second = await scene("remembers", { home: first.place.home, start: { resume: true } });
  const ends = await turns(second, ["the task", "and then"]);
  assert.match(ends[0]?.summary ?? "", /^Your sandbox was lost.*Go on with the task where you stopped\.$/s);
  assert.equal(ends[1]?.summary, "and then");
  assert.deepEqual(
    second.told().filter((line) => /^\d/.test(line)),
    [
      "2 reaper_lost null The sandbox died while the step ran, and another one took over.",
      "3 shell: ls | ls",
      "3 exited 0",
      "4 shell: ls | ls",
      "4 exited 0",
    ],
  );
  assert(!second.told().some((line) => line.includes("an old message")));
});

test("a later runner whose CLI remembers nothing begins anew, and says the task again", async () => {
  await using first = await scene("remembers");
  await turns(first, ["one"]);
  const kept = join(first.place.home, ".sealwork/agent-session.json");
  const state = JSON.parse(await readFile(kept, "utf8"));
  await writeFile(kept, JSON.stringify({ ...state, session_id: "forgotten" }));
  await using second = await scene("remembers", { home: first.place.home, start: { resume: true } });
  const [end] = await turns(second, ["the task"]);
  assert.match(end?.summary ?? "", /memory of the work is lost too.*The task was:\n\nthe task$/s);
  assert.equal(second.told()[0], "2 shell: ls | ls");
});

test("an event that cannot be kept ends the turn with its error", async () => {
  await using at = await scene("slow");
  const place = { ...at.place, emit: () => Promise.reject(new Error("no more events")) };
  await using conversation = await openWith(place, TIMES);
  await assert.rejects(conversation.turn("go"), /no more events/);
});

test("nothing of the CLI runs on after the conversation", async () => {
  await using at = await scene("deaf");
  const conversation = await openWith(at.place, TIMES);
  const turn = conversation.turn("go");
  await at.event("step.started");
  await conversation[Symbol.asyncDispose]();
  const end = await turn;
  assert.equal(end.outcome, "failed");
  await assert.rejects(access(join(at.place.home, "nothing")));
});
