import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

test("a port inside is a stream of bytes outside, while the job works; afterwards the refusal says that it has ended", async () => {
  const server = "require('net').createServer((c) => c.on('data', (d) => c.end('you said ' + d))).listen(4321, () => console.log('listens'))";
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
