import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isJupyterBusy } from "./jupyter-busy.ts";

const TOKEN = "a-token-of-a-job";
const NOW = new Date().toISOString();
const LONG_AGO = "2020-01-01T00:00:00Z";

let folder: string;
let socket: string;
let kernels: unknown = [];
let terminals: unknown = [];
const server = createServer((request, response) => {
  if (request.headers.authorization !== `token ${TOKEN}`) return response.writeHead(403).end();
  const answers: Record<string, unknown> = { "/jobs/j/jupyter/api/kernels": kernels };
  answers["/jobs/j/jupyter/api/terminals"] = terminals;
  return response.end(JSON.stringify(answers[request.url ?? ""]));
});
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "busy-"));
  socket = join(folder, "lab");
  await once(server.listen(socket), "listening");
});
after(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const busy = (name: string) => ({ id: "1", name, execution_state: "busy", last_activity: NOW });

async function isBusy(given: { kernels?: unknown; terminals?: unknown }): Promise<boolean> {
  ({ kernels = [], terminals = [] } = given);
  return isJupyterBusy({ socket, base_path: "/jobs/j/jupyter/", token: TOKEN });
}

test("a kernel of a person at work and a terminal in which something moves keep Jupyter in use", async () => {
  assert.equal(await isBusy({ kernels: [busy("python3")] }), true);
  assert.equal(await isBusy({ terminals: [{ name: "1", last_activity: NOW }] }), true);
});

test("the agent's own kernel, kernels that wait and quiet terminals do not", async () => {
  const waits = { ...busy("python3"), execution_state: "idle" };
  const quiet = { name: "1", last_activity: LONG_AGO };
  assert.equal(await isBusy({ kernels: [busy("sealwork-session"), waits], terminals: [quiet] }), false);
});

test("an answer that is none, or has no end, is not busy", async () => {
  assert.equal(await isBusy({ kernels: { error: "no" } }), false);
  const endless = Array.from({ length: 20_000 }, () => ({
    ...busy("sealwork-session"),
    padding: "x".repeat(100),
  }));
  assert.equal(await isBusy({ kernels: [...endless, busy("python3")] }), false);
  assert.equal(await isJupyterBusy({ socket: join(folder, "none"), base_path: "/", token: TOKEN }), false);
});
