import assert from "node:assert/strict";
import { test } from "node:test";
import { world } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";
import { createFakeLocalServer } from "../local-server.fake.ts";

test("doctor prints a line for each check and ends with 5 when one has failed", async (t) => {
  const { io } = await world(t);
  const local = createFakeLocalServer(null, [
    { name: "engine", state: "ok", message: "Docker 20.10", hint: null },
    { name: "image", state: "failed", message: "missing", hint: "sealwork setup" },
  ]);
  const done = await runFake(io({ env: { SEALWORK_URL: undefined } }), ["doctor"], local);
  assert.equal(done.code(), 5);
  assert.equal(done.out(), "✓ engine  Docker 20.10\n✗ image   missing\n          → sealwork setup\n");
});

test("doctor obeys nothing that a server puts into its checks", async (t) => {
  const { server, io } = await world(t);
  server.intercept = ({ path: asked }, answer) => {
    if (asked !== "/doctor") return false;
    const check = { name: "en\x1b[2Jgine", state: "ok", message: "fine\x1b]0;title\x07", hint: null };
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify({ ok: true, checks: [check] }));
    return true;
  };
  const done = await runFake(io(), ["doctor"]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /✓ engine {2}fine\n$/);
});

test("serve gives its options on and ends well with Ctrl-C; stop and setup reach the local server", async (t) => {
  const { io } = await world(t);
  const local = createFakeLocalServer({ url: "http://127.0.0.1:1", token: null });
  const serving = io({ env: { SEALWORK_URL: undefined } });
  const running = runFake(serving, ["serve", "--host", "::1", "--port", "0", "--no-auth"], local);
  await Promise.resolve();
  serving.interrupt();
  await running;
  assert.equal(serving.code(), 0);
  const stopped = await runFake(io({ env: { SEALWORK_URL: undefined } }), ["stop", "--json"], local);
  assert.equal(stopped.out(), '{"stopped":true,"pid":4242}\n');
  const ready = await runFake(io({ env: { SEALWORK_URL: undefined } }), ["setup"], local);
  assert.match(ready.err(), /Container engine\n {2}found one\n/);
  assert.deepEqual(local.calls, ["serve ::1 0 true", "stop", "setup"]);
});
