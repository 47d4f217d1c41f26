import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { BrowserContext, Page } from "playwright-core";
import type { TokensAnswer } from "../src/contract/sign-in-api.ts";
import { openBrowser } from "./browser.ts";
import { CliProcess, cli, REPOSITORY, script, TestOrchestrator } from "./harness.ts";

/** What a page is answered for what needs a sign-in. */
const STATUS = 'fetch("/jobs").then(({ status }) => status)';

let orchestrator: TestOrchestrator;
let browsers: AsyncDisposableStack;
/** A person's browser that is signed in, and one that is not. */
let mine: BrowserContext;
let other: BrowserContext;
let origin: string;

before(async () => {
  browsers = new AsyncDisposableStack();
  orchestrator = browsers.use(await TestOrchestrator.start());
  mine = browsers.use(await openBrowser()).context;
  other = browsers.use(await openBrowser()).context;
  origin = `http://sealwork.localhost:${new URL(orchestrator.url).port}`;
  await (await mine.newPage()).goto(await link());
});
after(() => browsers.disposeAsync());

/** What `sealwork open` prints. */
async function link(...more: string[]): Promise<string> {
  const { stdout, stderr, code } = await cli(["open", ...more, "--print"], { env: orchestrator.environment });
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

async function tokens(): Promise<TokensAnswer["tokens"]> {
  const answer = await orchestrator.fetch("/tokens");
  return ((await answer.json()) as TokensAnswer).tokens;
}

const cookieOf = async (context: BrowserContext) =>
  (await context.cookies()).filter(({ name }) => name === "__Host-sealwork");

test("sealwork open leads to the dashboard signed in, once, and its code stays nowhere", async () => {
  const url = await link("--path", "/settings");
  assert.match(url, new RegExp(`^${origin}/sign-in\\?code=[\\w-]{43}$`));
  const code = url.split("=")[1] ?? "";
  await using first = await openBrowser();
  const page = await first.context.newPage();
  await page.goto(url);
  assert.equal(page.url(), `${origin}/settings`);
  assert.equal(await page.evaluate(STATUS), 200);
  assert.equal(await page.evaluate("history.length"), 2, "the address with the code is not in the history");
  await page.goBack();
  assert.equal(page.url(), "about:blank");
  const [cookie, ...more] = await cookieOf(first.context);
  assert(cookie !== undefined && more.length === 0);
  const { domain, path, httpOnly, secure, sameSite } = cookie;
  assert.deepEqual(
    [domain, path, httpOnly, secure, sameSite],
    ["sealwork.localhost", "/", true, true, "Strict"],
  );
  const again = await other.newPage();
  await again.goto(url);
  assert.equal(again.url(), `${origin}/sign-in?failed=link`);
  await again.getByText("has been used").waitFor();
  assert.deepEqual(await cookieOf(other), []);
  await again.close();
  for (const secret of [code, cookie.value, orchestrator.token])
    assert(!orchestrator.logged.includes(secret));
});

test("a token that is typed signs in, a wrong one is told so", async () => {
  await using second = await openBrowser();
  const page = await second.context.newPage();
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("Token").fill("swt_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This is no token of this server").waitFor();
  await page.getByLabel("Token").fill(orchestrator.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${origin}/`);
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal((await cookieOf(second.context)).length, 1);
});

test("a person who comes by another loopback name ends at the dashboard's; at the other name the cookie is not there", async () => {
  const { port } = new URL(orchestrator.url);
  for (const host of ["localhost", "127.0.0.1"]) {
    const page = await mine.newPage();
    await page.goto(`http://${host}:${port}/settings`);
    assert.equal(page.url(), `${origin}/settings`);
    await page.close();
    // The same browser's cookies, as it would send them there.
    const answer = await mine.request.get(`http://${host}:${port}/jobs`);
    assert.equal(answer.status(), 401);
  }
});

/** A page of somebody else, at any name below localhost. */
async function foreignServer(): Promise<Server & AsyncDisposable> {
  const server = createServer((_request, response) => {
    response
      .writeHead(200, { "content-type": "text/html" })
      .end("<!doctype html><title>foreign</title><body>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  });
}

/** Paths of the dashboard that a page asked for, and whose answer its browser kept from it. */
function keptFrom(page: Page): Set<string> {
  const kept = new Set<string>();
  page.on("requestfailed", (request) => {
    if (request.url().startsWith(origin)) kept.add(new URL(request.url()).pathname);
  });
  return kept;
}

test("pages of other origins, also at another port of the dashboard's name, can neither act nor read nor frame it", async () => {
  await using server = await foreignServer();
  const { port } = server.address() as AddressInfo;
  const job_id = await orchestrator.schedule({ prompt: script("echo at work; sleep 600") });
  await orchestrator.untilPrinted(job_id, "at work");
  for (const host of ["evil.localhost", "localhost", "sealwork.localhost", "x.sealwork.localhost"]) {
    const page = await mine.newPage();
    await page.goto(`http://${host}:${port}/`);
    await page.addScriptTag({ path: join(REPOSITORY, "e2e/pages/foreign.js") });
    const kept = keptFrom(page);
    assert.deepEqual(
      await page.evaluate(`attack(${JSON.stringify(origin)}, ${JSON.stringify(job_id)})`),
      ["act: failed", "act blindly: failed", "read: failed", "socket: failed", "events: failed"],
      host,
    );
    for (const path of [`/cancel/${job_id}`, "/tokens"]) assert(kept.has(path), `${host} ${path}`);
    await page.evaluate(`frame(${JSON.stringify(`${origin}/sign-in`)})`);
    // What a browser shows in place of what may not be framed.
    await page.frames()[1]?.waitForURL(/^chrome-error:/);
    assert.equal(page.frames().length, 2, host);
    await Promise.all([
      page.waitForURL(`${origin}/cancel/${job_id}`),
      page.evaluate(`post(${JSON.stringify(`${origin}/cancel/${job_id}`)})`),
    ]);
    assert.match(await page.innerText("body"), /forbidden_origin/, host);
    await page.close();
  }
  assert.equal((await orchestrator.job(job_id)).status, "running");
  await orchestrator.cancel(job_id);
});

test("a sandbox is never sent the cookie: not by a port on this machine, whatever name leads there, nor as a preview", async () => {
  const server = `
const heard = [];
require("http").createServer((request, response) => {
  heard.push(request.rawHeaders);
  response.writeHead(200, { "content-type": "text/html" });
  response.end("<!doctype html><p>inside</p><script type=json>" + JSON.stringify(heard) + "</script>");
}).listen(8080, () => console.log("listens"));`;
  const job_id = await orchestrator.schedule({ prompt: `\`\`\`js\n${server}\n\`\`\`` });
  await orchestrator.untilPrinted(job_id, "listens");
  const forwarding = new CliProcess(["forward", job_id, "8080:0"], { env: orchestrator.environment });
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    forwarding.kill("SIGINT");
    await forwarding.ended;
  });
  await forwarding.untilPrinted("is port 8080 of the job");
  const local = /127\.0\.0\.1:(\d+)/.exec(forwarding.printed.stdout)?.[1] ?? "";
  const page = await mine.newPage();
  for (let visit = 0; visit < 2; visit += 1) {
    const answer = await page.goto(`http://sealwork.localhost:${local}/`);
    assert.equal(answer?.status(), 403);
    assert.match(await page.innerText("body"), /leads into a sandbox/);
    // From a page of that very site the cookie would go along.
    const fetched = "fetch('/x').then(({ status }) => status)";
    assert.equal(await page.evaluate(fetched), 403);
  }
  const addresses = [`http://127.0.0.1:${local}/`, `http://localhost:${local}/`, await link(job_id, "8080")];
  for (const address of addresses) {
    await page.goto(address);
    await page.getByText("inside").waitFor();
  }
  const content = await page.content();
  assert.ok((content.match(/"Host"/gi)?.length ?? 0) >= addresses.length, content);
  assert.doesNotMatch(content, /sw[bt]_|__Host-sealwork|sealwork\.localhost/);
  await page.close();
  await orchestrator.cancel(job_id);
});

test("a browser that is revoked is out at once, with what it has open", async () => {
  const before_it = new Set((await tokens()).map(({ token_id }) => token_id));
  await using browser = await openBrowser();
  const page = await browser.context.newPage();
  await page.goto(await link());
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  const [row, ...more] = (await tokens()).filter(({ token_id }) => !before_it.has(token_id));
  assert(row !== undefined && more.length === 0);
  assert.deepEqual([row.kind, row.name], ["browser", "Chrome on Linux"]);
  // The page says when it has begun, and goes on in the background.
  await page.evaluate(`fetch("/events").then((answer) => {
    globalThis.followed = answer.text().then(() => "ended", () => "cut");
  })`);
  const { status } = await orchestrator.fetch(`/tokens/${row.token_id}`, { method: "DELETE" });
  assert.equal(status, 204);
  assert.equal(await page.evaluate("followed"), "cut");
  assert.equal(await page.evaluate(STATUS), 401);
  await page.waitForURL(`${origin}/sign-in**`);
  const other_page = await mine.newPage();
  await other_page.goto(`${origin}/`);
  assert.equal(await other_page.evaluate(STATUS), 200, "others stay");
});
