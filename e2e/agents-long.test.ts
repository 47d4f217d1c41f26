import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AgentsPlace, assertComplete, ofType, plan, shell } from "./agents.ts";
import { run } from "./harness.ts";
import { container, text } from "./job-checks.ts";
import { type ModelRequest, wholeText } from "./models/conversation.ts";

const STEPS = 120;
const WINDOW = { context_tokens: 16_000, max_output_tokens: 1_000 };
let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start({ config: { models: { "google/tiny": WINDOW } } });
});
after(() => place[Symbol.asyncDispose]());

/** All that the model still knows of what its first step printed. */
function codeWord(request: ModelRequest): string {
  return /code word is (\w+)/.exec(wholeText(request))?.[1] ?? "forgotten";
}

test("an early fact survives more steps than a tiny window holds, and the death of the sandbox among them", async () => {
  let steps = 0;
  let summaries = 0;
  const { job_id, play } = await place.begin("tiny", (request) => {
    const { choice, tools } = request;
    if (choice === "update_plan") return plan().answer;
    if (tools.length === 0) {
      summaries += 1;
      return { text: `Facts: the code word is ${codeWord(request)}. Done: ${steps} steps.` };
    }
    if (choice === "none") return { text: "The word is written down." };
    steps += 1;
    if (steps === 1) return shell("word=heron; echo the code word is $word");
    if (steps === STEPS / 2) return { text: "never", hold: "killed" };
    if (steps < STEPS) return shell(`seq 300 | sed 's/^/step ${steps}, line /'`);
    return steps === STEPS ? shell(`echo ${codeWord(request)} > word.txt`) : { text: "It is done." };
  });
  await play.asked(() => steps === STEPS / 2);
  await run("docker", ["kill", await container(place.orchestrator, job_id)]);
  const { job, events, zip } = await place.done(job_id);
  assertComplete({ job });
  assert.deepEqual(play.failures, []);
  assert.equal(text(zip, "word.txt"), "heron\n");
  assert.equal(ofType(events, "sandbox.replaced").length, 1);
  assert.equal(ofType(events, "step.ended").length, STEPS - 1);
  const compactions = ofType(events, "conversation.compacted");
  assert.ok(compactions.length >= 3, `it was compacted ${compactions.length} times`);
  assert.ok(summaries >= compactions.length);
  for (const { tokens_before, tokens_after } of compactions) assert.ok(tokens_after < tokens_before);
  // What a token is differs from model to model; this one takes four characters for one.
  const longest = Math.max(
    ...place.models.recorded.filter(({ path }) => path.includes("tiny")).map(({ body }) => body.length / 4),
  );
  assert.ok(longest <= WINDOW.context_tokens, `the longest request had ${longest} tokens`);
});
