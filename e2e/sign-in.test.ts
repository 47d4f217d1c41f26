import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { VERSION } from "../src/contract/version.ts";
import { refused } from "./answers.ts";
import { cli, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
});

test("the token is made at the first start, readable by nobody else, and kept over restarts", async () => {
  const file = join(orchestrator.data, "token");
  const token = await readFile(file, "utf8");
  assert(token.trim().length >= 32);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await orchestrator.stop();
  await orchestrator.restart();
  assert.equal(await readFile(file, "utf8"), token);
  assert.equal((await orchestrator.fetch("/jobs")).status, 200);
});

test("every route wants the token, but health, root and the way in", async () => {
  const answer = await orchestrator.fetch("/openapi.json");
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  const id = "019f0000-0000-7000-8000-000000000000";
  const open: string[] = [];
  for (const [path, methods] of [...Object.entries(paths), ["/docs", { get: {} }] as const]) {
    const url = `${orchestrator.url}${path.replace("{id}", id).replace("{path}", "a").replace("{sha256}", "0".repeat(64)).replace("{token_id}", id)}`;
    for (const method of Object.keys(methods)) {
      if (method === "head" || (method === "post" && path === "/sign-in")) continue;
      const bare = await fetch(url, { method: method.toUpperCase(), redirect: "manual" });
      // The sign-in page leads to the dashboard's own name.
      if (bare.status === 200 || bare.status === 302) {
        await bare.body?.cancel();
        open.push(path);
        continue;
      }
      assert.match(bare.headers.get("www-authenticate") ?? "", /^Bearer/);
      await refused(bare, 401, "unauthorized");
      for (const authorization of [
        "Bearer wrong",
        `Basic ${orchestrator.token}`,
        `Bearer ${orchestrator.token}x`,
      ])
        await refused(
          await fetch(url, { method: method.toUpperCase(), headers: { authorization } }),
          401,
          "unauthorized",
        );
    }
  }
  assert.deepEqual(open.sort(), ["/", "/healthz", "/sign-in"]);
  const typed = await fetch(`${orchestrator.url}/sign-in`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: orchestrator.token }),
  });
  await refused(typed, 403, "forbidden_origin");
});

test("a token that the command line made comes in, also after a restart, until it is revoked", async () => {
  const env = orchestrator.environment;
  const made = await cli(["token", "new", "ci", "--expires", "1h", "--json"], { env });
  const { token, token_id } = JSON.parse(made.stdout);
  const headers = { authorization: `Bearer ${token}` };
  const status = async () => {
    const answer = await fetch(`${orchestrator.url}/jobs`, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await status(), 200);
  await orchestrator.stop();
  await orchestrator.restart();
  assert.equal(await status(), 200);
  const elsewhere = { ...env, SEALWORK_URL: orchestrator.url, SEALWORK_TOKEN: token };
  assert.match(
    (await cli(["token", "ls"], { env: elsewhere })).stdout,
    /^ID .*\n\w{8} +token +ci +\d+ s ago +in 59 m\n$/m,
  );
  const database = await readFile(join(orchestrator.data, "sealwork.db"), "latin1");
  const log = await readFile(join(orchestrator.data, "sealwork.db-wal"), "latin1").catch(() => "");
  assert(!`${database}${log}${orchestrator.logged}`.includes(token.slice(4)), "it is kept nowhere");
  assert.equal((await cli(["token", "rm", token_id.slice(-8)], { env })).code, 0);
  assert.equal(await status(), 401);
});

test("a second orchestrator on the same state folder is refused and told who holds it", async () => {
  const { code, stderr } = await cli(["serve", "--port", "0"], { env: orchestrator.environment });
  assert.notEqual(code, 0);
  for (const part of [orchestrator.url, `${orchestrator.pid}`, orchestrator.data])
    assert(stderr.includes(part), stderr);
  assert.equal((await orchestrator.fetch("/jobs")).status, 200, "the first goes on");
});

test("versions too far apart are told which side to upgrade", async () => {
  const [major, minor] = VERSION.split(".").map(Number);
  const ask = (version: string) =>
    orchestrator.fetch("/jobs", { headers: { "x-sealwork-version": version } });
  const newer = await refused(await ask(`${major}.${(minor ?? 0) + 2}.0`), 426, "version_mismatch");
  assert.match(newer.message, /upgrade the server/);
  await refused(await ask(`${(major ?? 0) + 1}.0.0`), 426, "version_mismatch");
  const near = await ask(`${major}.${(minor ?? 0) + 1}.0`);
  assert.equal(near.status, 200);
  assert.equal(near.headers.get("x-sealwork-version"), VERSION);
});

test("an address beyond loopback is served with a token and refused without one", async () => {
  await using wide = await TestOrchestrator.start({ args: ["--host", "0.0.0.0"] });
  const port = new URL(wide.url).port;
  const headers = { authorization: `Bearer ${wide.token}` };
  assert.equal((await fetch(`http://127.0.0.1:${port}/jobs`, { headers })).status, 200);
  await refused(await fetch(`http://127.0.0.1:${port}/jobs`), 401, "unauthorized");
  await wide.stop();
  const { code, stderr } = await cli(["serve", "--port", "0", "--no-auth", "--host", "0.0.0.0"], {
    env: wide.environment,
  });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /loopback/);
});
