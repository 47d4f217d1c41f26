import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { cli, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

test("a port inside is a stream of bytes outside, while the job works; afterwards the refusal says that it has ended", async () => {
  const server =
    "require('net').createServer((c) => c.on('data', (d) => c.end('you said ' + d))).listen(4321, () => console.log('listens'))";
  const job_id = await orchestrator.schedule({ prompt: `\`\`\`js\n${server}\n\`\`\`` });
  await orchestrator.untilPrinted(job_id, "listens");
  const address = `${orchestrator.url.replace("http", "ws")}/jobs/${job_id}/forward/4321`;
  const headers = { authorization: `Bearer ${orchestrator.token}` };
  const socket = new WebSocket(address, { headers });
  await once(socket, "open");
  socket.send(Buffer.from("hello"));
  const [said] = await once(socket, "message");
  assert.equal(String(said), "you said hello");
  await once(socket, "close");
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  const refused = new WebSocket(address, { headers });
  const [, answer] = await once(refused, "unexpected-response");
  assert.equal(answer.statusCode, 409);
  assert.match(String(await answer.toArray()), /has ended, and its sandbox with it/);
  refused.on("error", () => undefined);
  refused.terminate();
});

test("what listens is listed with its process, and told within a second when it opens and closes", async () => {
  const server = `
const server = require("net").createServer().listen(4321, "127.0.0.1", () => console.log("listens"));
process.stdin.resume();
setInterval(() => { if (require("fs").existsSync("stop")) server.close(() => console.log("closed")); }, 50);`;
  const job_id = await orchestrator.schedule({ prompt: `\`\`\`js\n${server}\n\`\`\`` });
  const printed = await orchestrator.until(job_id, ({ type }) => type === "step.output");
  const opened = await orchestrator.until(job_id, ({ type }) => type === "port.opened");
  assert.ok(opened.type === "port.opened");
  assert.equal(opened.data.port, 4321);
  assert.match(opened.data.process ?? "", /^node/);
  const late_ms = Date.parse(opened.at) - Date.parse(printed.at);
  assert.ok(late_ms < 1000, `it was told ${late_ms} ms after it listened`);
  const listed = await orchestrator.fetch(`/jobs/${job_id}/ports`);
  const { ports } = (await listed.json()) as { ports: { port: number; address: string; process: string }[] };
  assert.deepEqual(
    ports.map(({ port, address }) => [port, address]),
    [[4321, "127.0.0.1"]],
  );
  const table = await cli(["ports", job_id], { env: orchestrator.environment });
  assert.match(table.stdout, /4321 +127\.0\.0\.1 +node/);
  const address = await cli(["open", job_id, "4321", "--path", "/docs"], { env: orchestrator.environment });
  assert.match(address.stdout, /^http:\/\/p4321-[a-z2-7]{52}\.localhost:\d+\/docs\?sealwork-code=\S+\n$/);
  await orchestrator.fetch(`/jobs/${job_id}/files/stop`, { method: "PUT", body: "" });
  const closed = await orchestrator.until(job_id, ({ type }) => type === "port.closed");
  assert.deepEqual(closed.data, { port: 4321 });
  await orchestrator.cancel(job_id);
});
