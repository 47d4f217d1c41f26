import assert from "node:assert/strict";
import { test } from "node:test";
import { world } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";

test("send gives the agent words from the command line or standard input, once", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  const sent = await runFake(io(), ["send", "last", "Make it blue"]);
  assert.equal(sent.code(), 0, sent.err());
  assert.match(sent.out(), /^Sent\. The agent of job a1b2c3d4 /);
  const piped = await runFake(io({ stdin: "Line one\nline two\n" }), ["send", "a1b2c3d4", "-", "--json"]);
  assert.deepEqual(JSON.parse(piped.out()), { job_id: job.job_id, accepted: true });
  const bodies = server.received
    .filter(({ path }) => path.endsWith("/messages"))
    .map(({ body }) => String(body));
  assert.deepEqual(
    bodies.map((body) => JSON.parse(body)),
    [{ text: "Make it blue" }, { text: "Line one\nline two\n" }],
  );
});

test("a message whose connection breaks is not sent again, since it may have been read", async (t) => {
  const { server, io } = await world(t);
  server.job();
  let asked = 0;
  server.intercept = ({ path }, answer) => {
    if (!path.endsWith("/messages")) return false;
    asked += 1;
    answer.socket?.destroy();
    return true;
  };
  const done = await runFake(io(), ["send", "last", "hello"]);
  assert.equal(done.code(), 5);
  assert.equal(asked, 1);
});

test("a job that takes no messages says why", async (t) => {
  const { server, io } = await world(t);
  server.job();
  server.takes_messages = false;
  const done = await runFake(io(), ["send", "last", "hello"]);
  assert.equal(done.code(), 1);
  assert.match(done.err(), /error: The script agent takes no messages\./);
});

test("approve answers yes, with --deny no, and a question that was answered otherwise is an error", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  server.ask(job.job_id, 1, "npm install");
  server.ask(job.job_id, 2, "rm -rf build");
  const yes = await runFake(io(), ["approve", "last", "1"]);
  assert.equal(yes.out(), "Question 1 of job a1b2c3d4: allowed.\n");
  const no = await runFake(io(), ["approve", "last", "2", "--deny", "--json"]);
  assert.deepEqual(JSON.parse(no.out()), { job_id: job.job_id, n: 2, decision: "deny" });
  const late = await runFake(io(), ["approve", "last", "2"]);
  assert.equal(late.code(), 1);
  assert.match(late.err(), /was answered: deny/);
});

test("allow opens a host for one job and says what it may reach now", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  const done = await runFake(io(), ["allow", "last", "Example.org:443"]);
  assert.equal(done.code(), 0, done.err());
  assert.match(done.out(), /^Job a1b2c3d4 may reach example\.org:443 beside what its policy packages lets/);
  assert.deepEqual(job.egress.hosts, ["example.org:443"]);
});

test("status shows what a job may reach and spend, what it used of models, and what it asks", async (t) => {
  const { server, io } = await world(t);
  const job = server.job({
    egress: { policy: "packages", hosts: ["example.org"] },
    budget: { max_tokens: 200_000, max_cost_usd: 1.5, max_calls: null },
    linger_s: 600,
  });
  job.usage = { ...job.usage, model_calls: 12, input_tokens: 45_200, output_tokens: 3100, cost_usd: 0.04 };
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  server.ask(job.job_id, 7, "npm install\x1b[2J", expires_at);
  const { out } = await runFake(io(), ["status", "last"]);
  assert.match(out(), /12 model calls, 45\.2k tokens in, 3\.1k out, \$0\.04\n/);
  assert.match(out(), /may reach +the registries of packages, and example\.org\n/);
  assert.match(out(), /budget +200k tokens, \$1\.50\n/);
  assert.match(out(), /follow-up +stays open 10 m after an answer\n/);
  assert.match(
    out(),
    /\? Question 7: npm install\n {2}→ sealwork approve a1b2c3d4 7, or with --deny; no answer for 59 m \d\d s means no\n$/,
  );
});
