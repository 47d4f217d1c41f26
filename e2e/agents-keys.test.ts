import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DUMMY_KEY } from "../src/contract/models.ts";
import { AgentsPlace, assertComplete, call, finish, plan, shell } from "./agents.ts";
import { run, TestOrchestrator } from "./harness.ts";
import { assertReason, container } from "./job-checks.ts";
import { ModelServer } from "./models/server.ts";

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start();
});
after(() => place[Symbol.asyncDispose]());

/** Something that is in the sandbox for sure, so that a search which finds nothing at all is noticed. */
const PLANTED = "PlantedBesideTheKey-0123456789";
/** Looks wherever a sandbox could keep something. Brackets and quotes keep out of the command what it looks for and what it says. */
const search = (secret: string, found: string) => `
pattern='${secret.slice(0, -1)}[${secret.slice(-1)}]'
found='${found.slice(0, 2)}''${found.slice(2)}'
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr '\\0' '\\n' < $file 2>/dev/null; done | grep -aqE "$pattern" && echo $found in a process
grep -raqE "$pattern" /home /tmp /run /etc /var /dev/shm 2>/dev/null && echo $found in a file
env | grep -qE "$pattern" && echo $found in the environment`;

function assertWithout(what: string, content: string | Buffer): void {
  const { key } = place.models;
  assert.ok(content.length > 0, `${what} is not empty`);
  assert.ok(!content.includes(key), `the provider's key is in ${what}`);
  assert.ok(
    !content.includes(Buffer.from(key).toString("base64")),
    `the provider's key is in ${what}, as base64`,
  );
}

async function assertJobWithout(job_id: string): Promise<void> {
  const { orchestrator } = place;
  for (const path of [`/status/${job_id}`, `/jobs/${job_id}/events?follow=false`])
    assertWithout(path, await (await orchestrator.fetch(path)).text());
  const printed = await orchestrator.logs(job_id);
  if (printed !== "") assertWithout("the job's logs", printed);
  for (const [name, { content }] of await orchestrator.zip(job_id))
    if (content.length > 0) assertWithout(`${name} of the ZIP`, content);
}

for (const agent of ["native", "gemini-cli"] as const)
  test(`the provider's key arrives there and is nowhere in the sandbox of ${agent}, nor in what its job leaves`, async () => {
    const { models, orchestrator } = place;
    const look = [
      'echo "$PLANTED" > /tmp/planted',
      search(PLANTED, "PLANT"),
      search(models.key, "LEAKED"),
    ].join("\n");
    const planted = ["process", "file", "environment"]
      .map((place) => `PLANT in (a|the) ${place}`)
      .join("\\s+");
    const looked = {
      answer: { text: "done", hold: "looked" },
      when: { result: { pattern: planted }, nowhere: "LEAKED" },
    };
    const turns =
      agent === "native"
        ? [plan(), { answer: shell(look) }, looked, ...finish("Nothing was found.").slice(1)]
        : [{ answer: call("run_shell_command", { command: look, description: "Looks" }) }, looked];
    const { job_id, play } = await place.begin(`keys-${agent}`, { turns }, { agent, env: { PLANTED } });
    await play.asked(agent === "native" ? 3 : 2);
    const { stdout } = await run("docker", ["inspect", await container(orchestrator, job_id)]);
    assertWithout("the container's configuration", stdout);
    play.release("looked");
    const { job } = await place.done(job_id);
    assertComplete({ job });
    play.assertFinished();
    await assertJobWithout(job_id);
    const asked = models.recorded.filter(({ path }) => path.includes(`keys-${agent}:`));
    assert.ok(asked.length >= 2);
    for (const { headers, query, body } of asked) {
      assert.deepEqual([headers["x-goog-api-key"], query.get("key")], [models.key, null]);
      const { "x-goog-api-key": _, ...others } = headers;
      assertWithout("the other headers", JSON.stringify(others));
      assertWithout("the body", body);
      assert.equal(
        headers.host,
        new URL(models.url).host,
        "the provider sees its own name, not the sandbox's",
      );
      assert.equal(headers.authorization, undefined);
    }
  });

for (const [agent, status] of [
  ["native", 400],
  ["native", 403],
  ["gemini-cli", 400],
] as const)
  test(`a provider that says the key in its error ${status} does not tell it to ${agent}`, async () => {
    const message = "The key {key} is wrong, {key}.";
    const { job_id } = await place.begin(
      `echo-${agent}-${status}`,
      { rules: [{ when: {}, answer: { error: { status, message } } }] },
      { agent },
    );
    const { job } = await place.done(job_id);
    assertReason(job, "agent_failed");
    assert.match(job.reason?.message ?? "", /is wrong/, "the rest of the error is told");
    await assertJobWithout(job_id);
  });

for (const agent of ["native", "gemini-cli"] as const)
  test(`a provider that says the key in a good answer does not tell it to ${agent}`, async () => {
    const answer = { text: "The key is {key}.", piece_chars: 100 };
    const { job_id } = await place.begin(`says-${agent}`, { rules: [{ when: {}, answer }] }, { agent });
    const { job } = await place.done(job_id);
    assertComplete({ job });
    assert.match(job.result?.summary ?? "", /^The key is \*+\.$/);
    await assertJobWithout(job_id);
  });

test("a provider that needs no key gets none, not even the one that stands for it in the sandbox", async () => {
  await using models = await ModelServer.start({ key: null });
  const ollama = { protocol: "openai", base_url: models.openai_url, default_model: "llama" };
  await using orchestrator = await TestOrchestrator.start({ config: { providers: { ollama } } });
  const play = models.play({ turns: [plan(), { answer: shell("echo hello") }, ...finish("Hello.")] });
  const job_id = await orchestrator.schedule({ prompt: "Say hello." });
  const job = await orchestrator.ended(job_id);
  assertComplete({ job });
  assert.equal(job.model, "ollama/llama");
  play.assertFinished();
  for (const { headers } of models.recorded)
    assert.ok(
      !Object.values(headers)
        .flat()
        .some((value) => value?.endsWith(DUMMY_KEY)),
      JSON.stringify(headers),
    );
});

test("neither the API, nor the log, nor the state folder has the key", async () => {
  const { orchestrator } = place;
  const providers = await (await orchestrator.fetch("/providers")).json();
  assert.ok(JSON.stringify(providers).includes('"has_key":true'));
  for (const path of [
    "/providers",
    "/openapi.json",
    "/jobs",
    "/templates",
    "/doctor",
    "/healthz",
    "/events?follow=false&after=0",
  ])
    assertWithout(path, await (await orchestrator.fetch(path)).text());
  assertWithout("the orchestrator's log", orchestrator.logged);
  const looked = async () => {
    const entries = await readdir(orchestrator.data, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    for (const file of files) {
      const content = await readFile(file);
      if (content.length > 0) assertWithout(file, content);
    }
    return files;
  };
  const files = await looked();
  assert.ok(
    files.some((file) => /\.(db|sqlite)/.test(file)),
    files.join("\n"),
  );
  // What is written at the end counts too.
  await orchestrator.stop();
  await looked();
  assertWithout("the orchestrator's last words", orchestrator.logged);
});
