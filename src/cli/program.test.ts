import assert from "node:assert/strict";
import { test } from "node:test";
import { world } from "./cli-world.fake.ts";
import { runFake } from "./io.fake.ts";
import { createFakeLocalServer } from "./local-server.fake.ts";

for (const [argv, pattern] of [
  [["run", "missing.md"], /no file 'missing.md'/],
  [["run", "."], /is a folder/],
  [["run", ""], /The task is empty/],
  [["run", "x y", "--memory", "lots"], /not a size/],
  [["run", "x y", "--env", "NOT_SET_ANYWHERE"], /not set here/],
  [["run", "x y", "--file", "none"], /no file 'none'/],
  [["run", "x y", "--dir", "none"], /not a folder/],
  [["run", "x y", "--allow", "10.0.0.1"], /no host that can be opened/],
  [["run", "x y", "--allow", "https://example.org/"], /no host that can be opened/],
  [["run", "x y", "--egress", "some"], /Allowed choices are none, allow, packages, internet/],
  [["run", "x y", "--approve", "maybe"], /Allowed choices are never, risky, always/],
  [["run", "x y", "--max-tokens", "1.5"], /not a whole number/],
  [["send", "last", "  "], /message is empty/],
  [["send", "last", "x".repeat(32_001)], /32000 is the most/],
  [["approve", "last", "0"], /no number of a question/],
  [["approve", "last", "one"], /not a number/],
  [["allow", "last", "*"], /no host that can be opened/],
  [["run"], /missing required argument/],
  [["frobnicate"], /unknown command/],
  [["ls", "--status", "odd"], /not a status/],
  [["status", "zz"], /not the id/],
] as const) {
  test(`a wrong command line (${argv.join(" ").slice(0, 60)}) ends with 2 and says why`, async (t) => {
    const { io, server } = await world(t);
    const done = await runFake(io(), [...argv]);
    assert.equal(done.code(), 2);
    assert.match(done.err(), pattern);
    assert.equal(server.received.length, 0);
  });
}

test("a server that does not answer gives 5, one of a far version says what to upgrade", async (t) => {
  const { server, io } = await world(t);
  const nobody = await runFake(io({ env: { SEALWORK_URL: "http://127.0.0.1:9" } }), ["ls"]);
  assert.equal(nobody.code(), 5);
  assert.match(nobody.err(), /No server answers at http:\/\/127.0.0.1:9/);
  server.version = "9.0.0";
  const far = await runFake(io(), ["ls"]);
  assert.equal(far.code(), 1);
  assert.match(far.err(), /upgrade the client/);
  const none = createFakeLocalServer(null);
  const local = await runFake(io({ env: { SEALWORK_URL: "" } }), ["ls"], none);
  assert.equal(local.code(), 5);
  assert.deepEqual(none.calls, ["find"]);
});

test("the token of SEALWORK_TOKEN is sent, and a wrong one is explained", async (t) => {
  const { server, io } = await world(t);
  server.token = "secret";
  const wrong = await runFake(io(), ["ls"]);
  assert.equal(wrong.code(), 1);
  assert.match(wrong.err(), /SEALWORK_TOKEN/);
  const right = await runFake(io({ env: { SEALWORK_TOKEN: "secret" } }), ["ls"]);
  assert.equal(right.code(), 0);
});

test("--version and --help end with 0", async (t) => {
  const { io } = await world(t);
  const version = await runFake(io(), ["--version"]);
  assert.equal(version.code(), 0);
  assert.match(version.out(), /^\d+\.\d+\.\d+\n$/);
  const help = await runFake(io(), ["run", "--help"]);
  assert.equal(help.code(), 0);
  assert.match(help.out(), /--idle-timeout/);
});
