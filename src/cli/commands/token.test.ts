import assert from "node:assert/strict";
import { test } from "node:test";
import type { Token } from "../../contract/sign-in-api.ts";
import { world } from "../cli-world.fake.ts";
import type { FakeServer } from "../fake-server.fake.ts";
import { runFake } from "../io.fake.ts";

const DAY_MS = 24 * 3600 * 1000;
const TOKEN: Token = {
  token_id: "019f0000-0000-7000-8000-0000aaaa1111",
  kind: "token",
  name: "ci",
  made_at: new Date(Date.now() - 10 * DAY_MS).toISOString(),
  last_used_at: null,
  expires_at: new Date(Date.now() + 30 * DAY_MS + 3_600_000).toISOString(),
  current: false,
};
const BROWSER: Token = {
  ...TOKEN,
  token_id: "019f0000-0000-7000-8000-0000bbbb2222",
  kind: "browser",
  name: "Firefox on \u001b[31mLinux",
  last_used_at: new Date(Date.now() - 3 * DAY_MS - 60_000).toISOString(),
};
const SECRET = "swt_shown-once";

/** Lets the server have these tokens. */
function serve(server: FakeServer, tokens: Token[]): void {
  server.intercept = ({ method, path, body }, answer) => {
    if (!path.startsWith("/tokens")) return false;
    answer.setHeader("content-type", "application/json");
    if (method === "GET") answer.end(JSON.stringify({ tokens }));
    else if (method === "POST")
      answer.end(JSON.stringify({ ...TOKEN, ...JSON.parse(String(body)), token: SECRET }));
    else answer.writeHead(204).end();
    return true;
  };
}

test("token ls lists tokens and browsers with when they were used, and nothing in a name moves the terminal", async (t) => {
  const { server, io } = await world(t);
  serve(server, [BROWSER, TOKEN]);
  const done = await runFake(io(), ["token", "ls"]);
  const [head, first, second, ...more] = done.out().trimEnd().split("\n");
  assert.match(head ?? "", /^ID +KIND +NAME +USED +EXPIRES$/);
  assert.match(first ?? "", /^bbbb2222 +browser +Firefox on .*Linux +3 d ago +in 30 d$/);
  assert.match(second ?? "", /^aaaa1111 +token +ci +never +in 30 d$/);
  assert.deepEqual(more, []);
  assert(!done.out().includes("\u001b"));
  const json = await runFake(io(), ["token", "ls", "--json"]);
  assert.deepEqual(JSON.parse(json.out()), { tokens: [BROWSER, TOKEN] });
  serve(server, []);
  assert.match((await runFake(io(), ["token", "ls"])).out(), /No tokens/);
});

test("token new prints the token alone on its standard output, and says how to revoke it beside that", async (t) => {
  const { server, io } = await world(t);
  serve(server, []);
  const done = await runFake(io(), ["token", "new", "ci", "--expires", "30d"]);
  assert.equal(done.out(), `${SECRET}\n`);
  assert.match(done.err(), /shown this one time.*sealwork token rm aaaa1111/);
  const asked = server.received.map(({ body }) => JSON.parse(String(body)));
  assert.deepEqual(asked, [{ name: "ci", expires_in_s: 30 * 24 * 3600 }]);
  const json = await runFake(io(), ["token", "new", "ci", "--json"]);
  assert.equal(JSON.parse(json.out()).token, SECRET);
});

test("token new refuses a name or span that no token can have", async (t) => {
  const { server, io } = await world(t);
  for (const argv of [
    [""],
    ["a\nb"],
    ["ci", "--expires", "1s"],
    ["ci", "--expires", "soon"],
    ["ci", "--expires", "9999d"],
  ])
    assert.equal((await runFake(io(), ["token", "new", ...argv])).code(), 2, argv.join(" "));
  assert.equal(server.received.length, 0);
});

test("token rm takes an id, whole or a part that one alone has", async (t) => {
  const { server, io } = await world(t);
  serve(server, [BROWSER, TOKEN]);
  const removed = () => server.received.filter(({ method }) => method === "DELETE").map(({ path }) => path);
  assert.match((await runFake(io(), ["token", "rm", "1111"])).out(), /^Revoked: ci/);
  assert.match((await runFake(io(), ["token", "rm", BROWSER.token_id])).out(), /^Signed out: Firefox/);
  assert.deepEqual(removed(), [`/tokens/${TOKEN.token_id}`, `/tokens/${BROWSER.token_id}`]);
  assert.equal((await runFake(io(), ["token", "rm", "019f"])).code(), 2);
  assert.equal((await runFake(io(), ["token", "rm", "ffff"])).code(), 1);
  assert.equal((await runFake(io(), ["token", "rm", "11"])).code(), 1);
  assert.equal(removed().length, 2);
});
