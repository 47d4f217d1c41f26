import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenMade, TokensAnswer } from "../contract/sign-in-api.ts";
import { BEARER, Browser, refusal, TOKEN } from "./sign-in-fixture.ts";
import { startServer } from "./test-server.fake.ts";

test("tokens are made, shown once, used, listed and revoked", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const answer = await browser.ask({
    path: "/tokens",
    method: "POST",
    json: { name: " ci ", expires_in_s: 3600 },
  });
  const made: TokenMade = JSON.parse(answer.text);
  assert.deepEqual([answer.status, made.kind, made.name, made.current], [200, "token", "ci", false]);
  const bearer = { authorization: `Bearer ${made.token}`, cookie: "" };
  assert.equal((await browser.ask({ path: "/jobs", headers: bearer })).status, 200);
  const list = await browser.ask({ path: "/tokens" });
  const { tokens }: TokensAnswer = JSON.parse(list.text);
  assert.deepEqual(
    tokens.map(({ kind, current }) => [kind, current]),
    [
      ["token", false],
      ["browser", true],
    ],
  );
  assert.match(tokens[0]?.last_used_at ?? "", /:00\.000Z$/);
  assert(!list.text.includes(made.token) && !list.text.includes("sha256"));
  const path = `/tokens/${made.token_id}`;
  assert.equal((await browser.ask({ path, method: "DELETE" })).status, 204);
  assert.deepEqual(refusal(await browser.ask({ path: "/jobs", headers: bearer })), [401, "unauthorized"]);
  assert.deepEqual(refusal(await browser.ask({ path, method: "DELETE" })), [404, "not_found"]);
  assert.deepEqual(refusal(await browser.ask({ path: "/tokens/x", method: "DELETE" })), [400, "invalid_id"]);
  const self = `/tokens/${tokens[1]?.token_id}`;
  assert.equal((await browser.ask({ path: self, method: "DELETE" })).status, 204, "who ends itself is told");
  assert.deepEqual(refusal(await browser.ask({ path: "/jobs" })), [401, "unauthorized"]);
});

test("the name of a token is one line of plain text", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  for (const name of ["", " ", "a\nb", "\u202eevil", "x".repeat(101)]) {
    const asked = { path: "/tokens", method: "POST", headers: BEARER, json: { name } };
    assert.deepEqual(refusal(await browser.ask(asked)), [422, "invalid_request"], name);
  }
});
