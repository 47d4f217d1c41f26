import assert from "node:assert/strict";
import { mkdir, mkdtempDisposable, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Config } from "../../contract/config.ts";
import type { ServerOptions } from "../app.ts";
import { NAVIGATION, PreviewWorld } from "../previews/preview-fixture.ts";
import { TEST_PREVIEWS } from "../test-server.fake.ts";

/** What a browser sends when somebody types an address. */
const BROWSER = {
  ...NAVIGATION,
  "sec-fetch-site": "none",
  accept: "text/html,application/xhtml+xml,*/*;q=0.8",
};
const PAGE = '<!doctype html><meta property="csp-nonce" nonce="SEALWORK_NONCE"><title>Built</title>';
const SCRIPT = "console.log('a script')";

/** A server with a dashboard of a few files; `ask` calls it by the dashboard's own name unless told otherwise. */
async function openDashboard(options: Partial<ServerOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await mkdtempDisposable(join(tmpdir(), "sw-dashboard-"))).path;
  await mkdir(join(folder, "assets/folder.js"), { recursive: true });
  const files: Record<string, string> = {
    "index.html": PAGE,
    "secret.js": "a file that is no asset",
    "assets/main-1a.js": SCRIPT,
    // Stand for what the build's compression makes of it.
    "assets/main-1a.js.br": "in brotli",
    "assets/main-1a.js.gz": "in gzip",
    "assets/font-2b.woff2": "a font",
    "assets/notes.txt": "of a type that the dashboard does not have",
  };
  for (const [path, content] of Object.entries(files)) await writeFile(join(folder, path), content);
  const world = stack.use(await PreviewWorld.start({ token: "swt_right", dashboard: folder, ...options }));
  const { port, orchestrator } = world.server;
  const host = `sealwork.localhost:${port}`;
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    world.ask({ host, path, headers, method });
  return {
    ask,
    host,
    port,
    folder,
    orchestrator,
    job_id: world.job_id,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("browsers get the page at every address of the dashboard, without a token; programs get what they always got", async () => {
  await using dashboard = await openDashboard();
  const { ask, job_id } = dashboard;
  for (const path of ["/", "/new", `/job/${job_id}?tab=files`, "/job/x", "/settings", "/settings/tokens"]) {
    const page = await ask(path, BROWSER);
    assert.deepEqual([page.status, page.headers["content-type"]], [200, "text/html; charset=utf-8"], path);
    assert.match(page.text, /<title>Built/, path);
    assert.equal(page.headers.vary, "accept", path);
    const head = await ask(path, BROWSER, "HEAD");
    assert.deepEqual(
      [head.status, head.text, head.headers["content-length"]],
      [200, "", page.headers["content-length"]],
      path,
    );
  }
  const root = await ask("/", { accept: "*/*" });
  assert.deepEqual(Object.keys(JSON.parse(root.text)), ["message", "version", "docs"]);
  assert.equal(root.headers.vary, "accept");
  assert.equal((await ask(`/job/${job_id}`)).status, 401);
  const job = await ask(`/job/${job_id}`, { authorization: "Bearer swt_right" });
  assert.deepEqual([job.status, JSON.parse(job.text).job_id, job.headers.vary], [200, job_id, "accept"]);
  for (const path of ["/new", "/settings", "/settings/tokens"]) {
    const answer = await ask(path, { authorization: "Bearer swt_right" });
    assert.deepEqual([answer.status, JSON.parse(answer.text).error.code], [404, "not_found"], path);
  }
});

test("a page is made anew each time, with a nonce that is used once, and nothing may keep it", async () => {
  await using dashboard = await openDashboard();
  const nonces = new Set<string>();
  for (const _time of [1, 2]) {
    const page = await dashboard.ask("/", BROWSER);
    const [, nonce = ""] = /nonce="([\w+/=]{20,})"/.exec(page.text) ?? [];
    nonces.add(nonce);
    assert.ok(page.headers["content-security-policy"]?.includes(`style-src-elem 'self' 'nonce-${nonce}';`));
    assert.equal(page.headers["cache-control"], "no-store");
    assert.doesNotMatch(page.text, /SEALWORK_NONCE/);
  }
  assert.equal(nonces.size, 2);
});

test("the policy of a page lets in nothing but itself, and previews in frames", async () => {
  await using dashboard = await openDashboard();
  const { headers } = await dashboard.ask("/", BROWSER);
  const policy = new Map(
    (headers["content-security-policy"] as string).split("; ").map((directive) => {
      const [name = "", ...sources] = directive.split(" ");
      return [name, sources.join(" ")] as const;
    }),
  );
  const { host, port } = dashboard;
  assert.match(policy.get("style-src-elem") ?? "", /^'self' 'nonce-[\w+/=]+'$/);
  policy.delete("style-src-elem");
  assert.deepEqual(Object.fromEntries(policy), {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src-attr": "'unsafe-inline'",
    "img-src": "'self' blob: data:",
    "font-src": "'self'",
    "connect-src": `'self' ws://${host} wss://${host}`,
    "frame-src": `http://*.localhost:${port}`,
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "default",
  });
  assert.equal(headers["cross-origin-opener-policy"], "same-origin");
  assert.equal(headers["cross-origin-resource-policy"], "same-origin");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["referrer-policy"], "no-referrer");
  assert.match(
    String(headers["permissions-policy"]),
    /clipboard-write=\(self\).*camera=\(\).*microphone=\(\)/,
  );
});

test("previews that were given a name of their own are what pages may frame", async () => {
  const config = Config.parse({ previews: { host: "previews.example", scheme: "https" } }).previews;
  await using dashboard = await openDashboard({ previews: { ...TEST_PREVIEWS, config } });
  const { headers } = await dashboard.ask("/", BROWSER);
  assert.match(String(headers["content-security-policy"]), /; frame-src https:\/\/\*\.previews\.example;/);
});

test("a browser that comes by another name of this machine is led to the dashboard's, a program is not", async () => {
  await using world = await PreviewWorld.start({ dashboard: null });
  const ask = (host: string, path: string, headers: Record<string, string>) =>
    world.ask({ host, path, headers });
  for (const host of ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.1.2.3:8000"]) {
    const led = await ask(host, "/job/x?tab=files&at=3", BROWSER);
    assert.deepEqual(
      [led.status, led.headers.location],
      [302, "http://sealwork.localhost:8000/job/x?tab=files&at=3"],
      host,
    );
    assert.equal((await ask(host, "/", { accept: "*/*" })).status, 200, host);
  }
  assert.equal((await ask("localhost", "/", BROWSER)).headers.location, "http://sealwork.localhost/");
  // A path that begins with two slashes must not become another host.
  assert.equal((await ask("localhost", "//evil.example/", BROWSER)).headers.location, undefined);
});

test("names that were configured keep their browsers", async () => {
  await using dashboard = await openDashboard({ hosts: ["box.example"] });
  assert.equal((await dashboard.ask("/", { ...BROWSER, host: "box.example" })).status, 200);
});

test("pages and files keep to the rules for who may call: no foreign name, no other site", async () => {
  await using world = await PreviewWorld.start({ dashboard: null });
  const own = `sealwork.localhost:${world.server.port}`;
  for (const path of ["/", "/new", "/assets/main-1a.js"]) {
    for (const host of ["evil.example", "x.sealwork.localhost"])
      assert.equal((await world.ask({ host, path, headers: BROWSER })).status, 403, `${host}${path}`);
    for (const site of ["cross-site", "same-site"]) {
      const headers = { ...BROWSER, "sec-fetch-site": site };
      assert.equal((await world.ask({ host: own, path, headers })).status, 403, `${site} ${path}`);
    }
  }
});

test("files of the build are kept for good, and come compressed to who takes that", async () => {
  await using dashboard = await openDashboard();
  const { ask } = dashboard;
  for (const [accepted, encoding, text] of [
    [undefined, undefined, SCRIPT],
    ["gzip, deflate, br, zstd", "br", "in brotli"],
    ["gzip", "gzip", "in gzip"],
    ["br;q=0, gzip;q=0.5", "gzip", "in gzip"],
    ["identity", undefined, SCRIPT],
  ] as const) {
    const headers = accepted === undefined ? {} : { "accept-encoding": accepted };
    const answer = await ask("/assets/main-1a.js", headers as Record<string, string>);
    assert.deepEqual([answer.status, answer.headers["content-encoding"], answer.text], [200, encoding, text]);
    assert.equal(answer.headers["content-type"], "text/javascript; charset=utf-8");
    assert.equal(answer.headers["content-length"], String(text.length));
    assert.equal(answer.headers["cache-control"], "public, max-age=31536000, immutable");
    assert.equal(answer.headers.vary, "accept-encoding");
    const etag = String(answer.headers.etag);
    const again = await ask("/assets/main-1a.js", { ...headers, "if-none-match": `"x", ${etag}` });
    assert.deepEqual([again.status, again.text, again.headers.etag], [304, "", etag]);
    const head = await ask("/assets/main-1a.js", headers as Record<string, string>, "HEAD");
    assert.deepEqual(
      [head.status, head.text, head.headers["content-length"]],
      [200, "", String(text.length)],
    );
  }
  const tags = ["br", "gzip", ""].map(
    async (encoding) => (await ask("/assets/main-1a.js", { "accept-encoding": encoding })).headers.etag,
  );
  assert.equal(new Set(await Promise.all(tags)).size, 3);
  const font = await ask("/assets/font-2b.woff2", { "accept-encoding": "br" });
  assert.deepEqual([font.headers["content-type"], font.text], ["font/woff2", "a font"]);
});

test("a worker may talk to the server, and to nobody else", async () => {
  await using dashboard = await openDashboard();
  const policy = String((await dashboard.ask("/assets/main-1a.js")).headers["content-security-policy"]);
  assert.equal(policy, "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'");
});

test("nothing but files of the build can be asked for, by whatever path", async () => {
  await using dashboard = await openDashboard();
  for (const path of [
    "/assets/",
    "/assets/none-1a.js",
    "/assets/main-1a.js.br",
    "/assets/notes.txt",
    "/assets/folder.js",
    "/assets/..%2fsecret.js",
    "/assets/..%5csecret.js",
    "/assets/%2e%2e%2fsecret.js",
    "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/assets/main-1a.js%00.js",
    `/assets/${"a".repeat(300)}.js`,
  ]) {
    const answer = await dashboard.ask(path, { "accept-encoding": "br, gzip" });
    assert.equal(answer.status, 404, path);
    assert.equal(JSON.parse(answer.text).error.code, "not_found", path);
  }
  for (const path of ["/assets/../secret.js", "/secret.js", "/index.html", "/assets"])
    assert.equal((await dashboard.ask(path)).status, 401, path);
});

test("without a build the pages say what to type, and everything else works", async () => {
  await using dashboard = await openDashboard();
  await rm(join(dashboard.folder, "index.html"));
  const lost = await dashboard.ask("/new", BROWSER);
  assert.equal(lost.status, 503);
  assert.match(lost.text, /<code>sealwork setup<\/code>/);
  assert.match(String(lost.headers["content-type"]), /^text\/html/);
  await using world = await PreviewWorld.start({ dashboard: null });
  const host = `sealwork.localhost:${world.server.port}`;
  assert.equal((await world.ask({ host, headers: BROWSER })).status, 503);
  assert.equal((await world.ask({ host, path: "/assets/main-1a.js" })).status, 404);
  assert.equal((await world.ask({ host, path: "/jobs" })).status, 200);
});
