import assert from "node:assert/strict";
import { test } from "node:test";
import { ProvidersAnswer } from "../contract/api.ts";
import { startServer, type TestServer } from "./test-server.fake.ts";

async function post(server: TestServer, path: string, body: object) {
  const answer = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

test("a message reaches the job; one that has ended takes none", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  const sent = await post(server, `/jobs/${job_id}/messages`, { text: "Make it blue.\n\nAll of it." });
  assert.deepEqual(sent, { status: 200, body: { job_id, accepted: true } });
  assert.deepEqual(server.orchestrator.said, [{ job_id, text: "Make it blue.\n\nAll of it." }]);
  const ended = server.orchestrator.add("complete");
  const late = await post(server, `/jobs/${ended.job_id}/messages`, { text: "Wait." });
  assert.deepEqual([late.status, (late.body as { error: { code: string } }).error.code], [409, "conflict"]);
});

test("the first answer to a question counts: the same again is answered alike, another one is a conflict", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  server.orchestrator.decisions.set(`${job_id} 1`, null);
  const route = `/jobs/${job_id}/approvals/1`;
  for (let time = 0; time < 2; time += 1)
    assert.deepEqual(await post(server, route, { decision: "allow" }), {
      status: 200,
      body: { job_id, n: 1, decision: "allow" },
    });
  assert.equal((await post(server, route, { decision: "deny" })).status, 409);
  assert.equal((await post(server, `/jobs/${job_id}/approvals/2`, { decision: "deny" })).status, 404);
});

test("a host is opened for one job, and the answer shows what it may reach now", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  const opened = await post(server, `/jobs/${job_id}/egress`, { host: "*.example.org:8443" });
  assert.deepEqual(opened, {
    status: 200,
    body: { job_id, egress: { policy: "packages", hosts: ["*.example.org:8443"] } },
  });
  const again = await post(server, `/jobs/${job_id}/egress`, { host: "*.example.org:8443" });
  assert.deepEqual(again, opened);
});

test("providers are listed by what people need to know, and whatever else the orchestrator knew stays inside", async () => {
  await using server = await startServer();
  const known = server.orchestrator.providers();
  server.orchestrator.providers = () => ({
    ...known,
    providers: known.providers.map((provider) => ({ ...provider, api_key: "sk-secret" })),
  });
  const answer = await fetch(`${server.url}/providers`);
  const text = await answer.text();
  assert.deepEqual(ProvidersAnswer.parse(JSON.parse(text)), known);
  assert.doesNotMatch(text, /secret|api_key/);
});
