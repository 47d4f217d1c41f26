import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  AgentsPlace,
  assertComplete,
  call,
  finish,
  gemini,
  ofType,
  plan,
  shell,
  type Turn,
} from "./agents.ts";
import { assertManifest, assertReason, text } from "./job-checks.ts";

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start({
    environment: (models) => ({
      ...gemini(models),
      OPENAI_API_KEY: models.key,
      OPENAI_BASE_URL: models.openai_url,
      ANTHROPIC_API_KEY: models.key,
      ANTHROPIC_BASE_URL: models.url,
      WRONG_KEY: "a-key-that-was-mistyped",
    }),
    config: (models) => ({
      concurrency: 4,
      providers: { mistyped: { protocol: "google", base_url: models.url, api_key_env: "WRONG_KEY" } },
    }),
  });
});
after(() => place[Symbol.asyncDispose]());

const TASK =
  "Add up the squares of the numbers from 1 to 100 and leave the sum in result.txt, with a short report.";
const SUMMARY = "The sum is 338350; it is in result.txt, and report.md says how it was made.";
const SUM = "open('/workspace/result.txt', 'w').write(str(sum(squares)))\nsum(squares)";
/** Every tool in turn: what a shell and a Python remember, files written and edited, a check, a summary. */
const SUM_OF_SQUARES: Turn[] = [
  plan(
    [{ title: "the sum is right", command: 'test "$(cat result.txt)" = 338350' }],
    ["result.txt", "report.md"],
  ),
  { when: { result: "The plan is set" }, answer: shell("cd /tmp && export WORD=kept && id -un") },
  { when: { result: "agent" }, answer: shell('echo "$WORD in $PWD"; env | sort') },
  {
    when: { result: "kept in /tmp" },
    answer: call("python", { code: "squares = [n * n for n in range(1, 101)]" }),
  },
  { when: { last: "result" }, answer: call("python", { code: SUM }) },
  {
    when: { result: "338350" },
    answer: call("write_file", { path: "report.md", content: "# Report\n\nThe sum is unknown.\n" }),
  },
  {
    when: { last: "result" },
    answer: call("edit_file", { path: "report.md", old_text: "unknown", new_text: "338350" }),
  },
  ...finish(SUMMARY),
];

describe("the native agent", { concurrency: 3 }, () => {
  for (const protocol of ["google", "openai", "anthropic"] as const)
    test(`carries a sentence out from plan to summary over the protocol of ${protocol}`, async () => {
      const usage = { input: 1000, output: 50, cached: 400, thoughts: 25 };
      const turns = SUM_OF_SQUARES.map(({ when = {}, answer }) => ({ when, answer: { ...answer, usage } }));
      const model = `sums-${protocol}`;
      const request = { prompt: TASK, model: `${protocol}/${model}` };
      const { job, events, zip, printed } = await place.run(model, { turns }, request);
      assertComplete({ job });
      assert.equal(job.agent, "native");
      assert.equal(job.result?.summary, SUMMARY);
      assert.equal(JSON.parse(text(zip, ".sealwork/result.json")).summary, SUMMARY);
      assert.equal(text(zip, "result.txt"), "338350");
      assert.equal(text(zip, "report.md"), "# Report\n\nThe sum is 338350.\n");
      assertManifest(zip);

      const notebook = JSON.parse(text(zip, ".sealwork/session.ipynb"));
      assert.equal(notebook.nbformat, 4);
      const cells: { cell_type: string; source: string | string[] }[] = notebook.cells;
      const code = cells
        .filter(({ cell_type }) => cell_type === "code")
        .map(({ source }) => [source].flat().join(""));
      assert.equal(code.length, 2);
      assert.equal(code[1]?.trimEnd(), SUM);

      const [made] = ofType(events, "plan.made");
      assert.deepEqual(made?.files, ["result.txt", "report.md"]);
      assert.deepEqual(
        ofType(events, "step.started").map(({ tool }) => tool),
        ["shell", "shell", "python", "python", "file", "file", "shell"],
      );
      assert.ok(ofType(events, "step.ended").every(({ ok }) => ok));
      const [written, edited] = ofType(events, "file.changed").filter(({ path }) => path === "report.md");
      assert.deepEqual([written?.change, edited?.change], ["created", "modified"]);
      assert.match(edited?.diff ?? "", /^-The sum is unknown\.\n\+The sum is 338350\.$/m);

      assert.match(printed, /kept in \/tmp/);
      assert.doesNotMatch(
        printed,
        /GEMINI|OPENAI|API_KEY|24801/,
        "steps have neither key nor address of a model",
      );
      const calls = ofType(events, "model.called");
      assert.equal(calls.length, turns.length);
      for (const { provider, outcome, input_tokens, cached_tokens, output_tokens, estimated } of calls)
        assert.deepEqual(
          [provider, outcome, input_tokens, cached_tokens, output_tokens, estimated],
          [protocol, "ok", 1000, 400, 75, false],
        );
      const { model_calls, input_tokens, output_tokens } = job.usage;
      assert.deepEqual([model_calls, input_tokens, output_tokens], [9, 9000, 675]);
    });

  test("gets a command that failed back with its exit code and output, and mends it", async () => {
    const { job, events } = await place.run("mends", {
      turns: [
        plan(),
        { answer: shell("echo looking; cat missing.txt") },
        {
          when: { result: { pattern: "looking[^]*No such file" } },
          answer: shell("echo found > missing.txt; cat missing.txt"),
        },
        ...finish("It is found.", { result: "found" }),
      ],
    });
    assertComplete({ job });
    assert.deepEqual(
      ofType(events, "step.ended").map(({ ok, exit_code }) => [ok, exit_code]),
      [
        [false, 1],
        [true, 0],
      ],
    );
  });

  const check = { title: "it is right", command: "grep -q right a.txt" };

  test("gets a check that failed back, and mends the work", async () => {
    const { job } = await place.run("check-mended", {
      turns: [
        plan([check]),
        { answer: shell("echo wrong > a.txt") },
        { answer: { text: "Done." } },
        { when: { user: "it is right" }, answer: shell("echo right > a.txt") },
        ...finish("It is right."),
      ],
    });
    assertComplete({ job });
  });

  test("fails when a check fails to the end, with the work packed", async () => {
    const { job, zip } = await place.run("check-fails", {
      turns: [plan([check]), { answer: shell("echo wrong > a.txt") }],
      rules: [{ when: { choice: "auto", anywhere: "echo wrong" }, answer: { text: "It must be right." } }],
    });
    assertReason(job, "agent_failed");
    assert.match(job.reason?.message ?? "", /it is right/);
    assert.equal(text(zip, "a.txt"), "wrong\n");
  });

  test("corrects calls that its model made wrong, over either protocol", async () => {
    const google = await place.run("malformed-google", {
      turns: [
        plan(),
        { answer: call("shell", { cmd: "echo no" }) },
        { when: { result: "command" }, answer: call("no_such_tool", { a: 1 }) },
        { when: { result: "no_such_tool" }, answer: { finish: "malformed_call" } },
        { when: { last: "user" }, answer: shell("echo yes") },
        ...finish("Yes.", { result: "yes" }),
      ],
    });
    assertComplete(google);
    assert.equal(google.printed, "yes\n");
    const openai = await place.run(
      "malformed-openai",
      {
        turns: [
          plan(),
          { answer: call("shell", '{"command": "echo n') },
          { when: { result: "JSON" }, answer: shell("echo yes") },
          ...finish("Yes.", { result: "yes" }),
        ],
      },
      { model: "openai/malformed-openai" },
    );
    assertComplete(openai);
    assert.equal(openai.printed, "yes\n");
  });

  test("survives rate limits, a provider that is overloaded and answers that break off", async () => {
    const { job, events } = await place.run("weather", {
      turns: [
        { answer: { error: { status: 429, retry_after_s: 0.3 } } },
        { answer: { error: { status: 503 } } },
        plan(),
        { answer: { text: "This will break off somewhere.", cut_after_bytes: 400, piece_chars: 4 } },
        { when: { last: "result" }, answer: shell("echo once") },
        ...finish("It rained.", { result: "once" }),
      ],
    });
    assertComplete({ job });
    assert.deepEqual(
      ofType(events, "model.called").map(({ outcome, attempts }) => [outcome, attempts]),
      [
        ["ok", 3],
        ["cut", 1],
        ["ok", 1],
        ["ok", 1],
        ["ok", 1],
      ],
    );
    assert.ok(!JSON.stringify(ofType(events, "message.said")).includes("will break off"));
    assert.equal(ofType(events, "step.ended").length, 1);
  });

  for (const protocol of ["google", "openai", "anthropic"] as const)
    test(`asks again when a stream of ${protocol} ends with an error`, async () => {
      const half = {
        text: "Half of an answer.",
        breaks_with: { status: 503, message: "The model is overloaded." },
      };
      const model = `breaks-${protocol}`;
      const turns = [
        plan(),
        { answer: half },
        { answer: shell("echo once") },
        ...finish("Once.", { result: "once" }),
      ];
      const { job, events } = await place.run(model, { turns }, { model: `${protocol}/${model}` });
      assertComplete({ job });
      assert.ok(!JSON.stringify(ofType(events, "message.said")).includes("Half of"));
      assert.equal(ofType(events, "model.called").length, turns.length);
    });

  test("ends at once with the provider's own words when the key is wrong", async () => {
    const { job, events } = await place.run("wrong-key", {}, { model: "mistyped/wrong-key" });
    assertReason(job, "agent_failed");
    assert.match(job.reason?.message ?? "", /API key not valid/);
    assert.doesNotMatch(JSON.stringify(events), /a-key-that-was-mistyped/);
    const calls = ofType(events, "model.called");
    assert.ok(calls.length >= 1 && calls.length <= 2, `it was tried ${calls.length} times`);
    for (const { outcome, attempts, input_tokens } of calls)
      assert.deepEqual([outcome, attempts, input_tokens], ["refused", 1, 0]);
  });

  for (const [name, answer, message] of [
    ["empty answers", {}, /empty answer/],
    ["a refusal", { finish: "safety" }, /refused to answer/],
    ["a prompt that the provider blocks", { finish: "blocked_prompt" }, /refused to answer/],
    ["an endless loop", shell("echo round and round"), /went in circles/],
    ["an error that is no use repeating", { error: { status: 400, message: "Bad thing." } }, /Bad thing/],
  ] as const)
    test(`ends with a clear reason after ${name}, with the work packed`, async () => {
      const { job, zip } = await place.run(name.replaceAll(" ", "-"), {
        turns: [plan(), { answer: shell("echo kept > kept.txt") }],
        rules: [{ when: { anywhere: "kept.txt" }, answer }],
      });
      assertReason(job, "agent_failed");
      assert.match(job.reason?.message ?? "", message);
      assert.equal(text(zip, "kept.txt"), "kept\n");
    });
});
