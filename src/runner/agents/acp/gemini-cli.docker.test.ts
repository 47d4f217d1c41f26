import assert from "node:assert/strict";
import { readdir, rename } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { ModelServer } from "../../../../e2e/models/server.ts";
import { AgentCli, BUILT_IN_AGENTS } from "../../../contract/agent-cli.ts";
import { fetchNodePackages } from "../../../drivers/node-packages.ts";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import { openAcpAgent } from "./acp-agent.ts";
import { type Given, TestPlace } from "./acp-place.fake.ts";

// The real Gemini CLI, as the agents image has it, on this machine, with a provider whose models say what they are told to.
const REPOSITORY = resolve(import.meta.dirname, "../../../..");
/** What the tests download stays from one run to the next. */
const CACHE_FOLDER = join(tmpdir(), "sealwork-test-cache");

let reaper: Awaited<ReturnType<typeof compileReaper>>;
let models: ModelServer;
let programs: string;
/** What the CLI would like to reach beside its model: it is told of a proxy that refuses everything. */
const wanted: string[] = [];
const proxy = createServer((request, response) => {
  wanted.push(request.url ?? "");
  response.writeHead(403).end();
}).on("connect", (request, socket) => {
  wanted.push(request.url ?? "");
  socket.on("error", () => undefined);
  socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
});

before(async () => {
  reaper = await compileReaper();
  models = await ModelServer.start();
  const folder = join(REPOSITORY, "images/agents");
  const signal = new AbortController().signal;
  const packages = await fetchNodePackages({
    folder,
    cache_folder: CACHE_FOLDER,
    npm_command: ["npm"],
    signal,
  });
  programs = join(packages, ".bin");
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
});
after(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await models[Symbol.asyncDispose]();
  await reaper[Symbol.asyncDispose]();
});

async function place(model: string, start: Given["start"] = {}, home?: string): Promise<TestPlace> {
  const address = proxy.address();
  assert(typeof address === "object" && address !== null);
  const through = `http://127.0.0.1:${address.port}`;
  const known = BUILT_IN_AGENTS["gemini-cli"];
  assert(known !== undefined);
  // The provider itself stands where the broker does; it wants its real key.
  const cli = AgentCli.parse(known);
  const env = { ...cli.env, GOOGLE_GEMINI_BASE_URL: models.url, GEMINI_API_KEY: models.key };
  return TestPlace.make(reaper, {
    cli: { ...cli, env },
    env: {
      PATH: [programs, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter),
      HTTP_PROXY: through,
      HTTPS_PROXY: through,
      NO_PROXY: "127.0.0.1,localhost",
    },
    start: {
      agent: "gemini-cli",
      model: {
        provider: "google",
        protocol: "google",
        model,
        context_tokens: 1_000_000,
        max_output_tokens: 8_000,
      },
      ...start,
    },
    ...(home === undefined ? {} : { home }),
  });
}

test("writes a file, runs a command, edits and sums up; each step asks, and nothing else is reached", async () => {
  await using at = await place("gemini-sums", { approval: "risky" });
  const file_path = join(at.place.workspace, "hello.txt");
  const play = models.play(
    {
      turns: [
        {
          when: { user: "Say hello" },
          answer: {
            text: "I write it first.",
            calls: [{ name: "write_file", args: { file_path, content: "hello\nworld\n" } }],
          },
        },
        {
          when: { last: "result" },
          answer: { calls: [{ name: "run_shell_command", args: { command: "wc -l hello.txt; exit 3" } }] },
        },
        {
          when: { result: "2 hello.txt" },
          answer: {
            calls: [
              {
                name: "replace",
                args: { file_path, instruction: "x", old_string: "world", new_string: "there" },
              },
              { name: "grep_search", args: { pattern: "there" } },
            ],
          },
        },
        { when: { result: "there" }, answer: { text: "It says hello." } },
        { when: { user: "And again", anywhere: "It says hello." }, answer: { text: "Once more." } },
      ],
    },
    "gemini-sums",
  );
  await using conversation = await openAcpAgent(at.place);
  const end = await conversation.turn("Say hello");
  assert.deepEqual(end, { outcome: "complete", reason: null, exit_code: 0, summary: "It says hello." });
  const again = await conversation.turn("And again");
  assert.equal(again.summary, "Once more.");
  play.assertFinished();
  assert.deepEqual(at.told(), [
    "agent: I write it first.",
    `1 file: Writing to hello.txt | ${file_path}`,
    "created hello.txt\n--- /dev/null\n+++ b/hello.txt\n@@ -0,0 +1,2 @@\n+hello\n+world\n",
    "1 exited 0",
    "2 shell: wc -l hello.txt; exit 3 | wc -l hello.txt; exit 3",
    "2 stdout: 2 hello.txt",
    "2 exited 0",
    `3 file: hello.txt: world => there | ${file_path}`,
    "modified hello.txt\n--- a/hello.txt\n+++ b/hello.txt\n@@ -1,2 +1,2 @@\n hello\n-world\n+there\n",
    "3 exited 0",
    "4 search: 'there' | 'there'",
    "4 exited 0",
    "agent: It says hello.",
    "agent: Once more.",
  ]);
  assert.deepEqual(
    at.questions.map(({ title }) => title),
    ["Writing to hello.txt", "wc -l hello.txt; exit 3", "hello.txt: world => there"],
  );
  assert.deepEqual(wanted, []);
});

test("a provider that refuses is why the job fails", async () => {
  models.play(
    { rules: [{ when: {}, answer: { error: { status: 400, message: "This key is out of use." } } }] },
    "refused",
  );
  await using at = await place("refused");
  await using conversation = await openAcpAgent(at.place);
  const end = await conversation.turn("Say hello");
  assert.equal(end.reason?.code, "agent_failed");
  assert.match(end.reason.message, /This key is out of use/);
});

test("a later runner goes on in the session that the CLI kept", async () => {
  models.play({ turns: [{ answer: { text: "The word is plum." } }] }, "kept");
  await using first = await place("kept");
  {
    await using conversation = await openAcpAgent(first.place);
    assert.equal((await conversation.turn("Choose a word")).summary, "The word is plum.");
  }
  // The CLI names its record after the minute of its start, and one that is loaded in the same minute is overwritten by it.
  const chats = join(first.place.home, ".gemini/tmp/workspace/chats");
  for (const name of await readdir(chats))
    await rename(
      join(chats, name),
      join(chats, name.replace(/\d{4}-\d\d-\d\dT\d\d-\d\d/, "2026-01-01T00-00")),
    );
  models.play(
    { turns: [{ when: { anywhere: "The word is plum." }, answer: { text: "Still plum." } }] },
    "kept",
  );
  await using second = await place("kept", { resume: true }, first.place.home);
  await using conversation = await openAcpAgent(second.place);
  assert.equal((await conversation.turn("Choose a word")).summary, "Still plum.");
  assert.deepEqual(second.told(), ["agent: Still plum."]);
});

test("a stop ends it in the middle of a command", async () => {
  models.play(
    {
      turns: [
        { answer: { calls: [{ name: "run_shell_command", args: { command: "echo on; sleep 600" } }] } },
      ],
    },
    "slow",
  );
  await using at = await place("slow");
  await using conversation = await openAcpAgent(at.place);
  const turn = conversation.turn("Wait");
  await at.event("step.started");
  at.stop("cancelled");
  assert.equal((await turn).outcome, "stopped");
});
