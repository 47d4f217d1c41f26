import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { BrowserContext, Frame, Page, Response } from "playwright-core";
import { openBrowser } from "./browser.ts";
import { REPOSITORY, TestOrchestrator } from "./harness.ts";

/**
 * A server inside that does what it may not: it sets cookies that are not its to set, wants everything cleared, and has a service worker.
 * What it was sent it tells at /heard. The script of its pages (pages/hostile.js) is brought by the test.
 */
const HOSTILE = `
const heard = [];
const cookies = [
  "__Host-sealwork-preview=stolen; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
  "__host-SEALWORK-preview=stolen; Path=/; Secure",
  "=__Host-sealwork-preview=stolen", "session=stolen; Domain=localhost", "session=stolen; domain=.sealwork.localhost; Path=/",
  "fine=1; Path=/",
];
const server = require("http").createServer((request, response) => {
  heard.push({ method: request.method, url: request.url, headers: request.rawHeaders });
  if (request.url === "/heard") return response.end(JSON.stringify(heard));
  response.setHeader("clear-site-data", '"*"');
  response.setHeader("service-worker-allowed", "/");
  response.setHeader("access-control-allow-origin", request.headers.origin || "*");
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("cross-origin-opener-policy", "unsafe-none");
  response.setHeader("x-frame-options", "ALLOWALL");
  response.setHeader("content-security-policy", "frame-ancestors *");
  if (request.url === "/sw.js") {
    response.writeHead(200, { "content-type": "text/javascript", "cache-control": "max-age=3600" });
    return response.end("self.addEventListener('fetch', (event) => event.respondWith(new Response('from the worker')))");
  }
  response.setHeader("set-cookie", cookies);
  response.writeHead(200, { "content-type": "text/html" });
  response.end("<!doctype html><title>TITLE</title><p>content of TITLE</p>");
});
server.on("upgrade", (request, socket) => {
  heard.push({ method: "UPGRADE", url: request.url, headers: request.rawHeaders });
  const key = require("crypto").createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + key + "\\r\\n\\r\\n");
});
server.listen(8080, () => console.log("listens"));
`;
const prompt = (title: string) => `\`\`\`js\n${HOSTILE.replaceAll("TITLE", title)}\n\`\`\``;

type Heard = { method: string; url: string; headers: string[] };

describe("with sign-in, in a browser as Debian has it", () => hostilePages({ args: [], apart: true }));
describe("without sign-in, in a browser that does not keep the cookies of frames apart", () =>
  hostilePages({ args: ["--no-auth"], apart: false }));

function hostilePages({ args, apart }: { args: string[]; apart: boolean }): void {
  let orchestrator: TestOrchestrator;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let context: BrowserContext;
  /** Stands for the dashboard, and for any other site, under their names. */
  let elsewhere: Server;
  let dashboard: string;
  let attacker: string;
  let victim: string;
  /** Tabs in which the person has both open. */
  let evil: Page;
  let good: Page;
  let port: string;

  before(async () => {
    elsewhere = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<title>elsewhere</title>");
    }).listen(0, "127.0.0.1");
    await once(elsewhere, "listening");
    dashboard = `http://sealwork.localhost:${(elsewhere.address() as AddressInfo).port}`;
    orchestrator = await TestOrchestrator.start({ args, config: { previews: { framed_by: [dashboard] } } });
    ({ port } = new URL(orchestrator.url));
    browser = await openBrowser({ third_party_cookies: !apart });
    ({ context } = browser);
    await context.addInitScript({ path: join(REPOSITORY, "e2e/pages/hostile.js") });
    await context.addCookies([
      {
        name: "session",
        value: "secret",
        domain: "sealwork.localhost",
        path: "/",
        httpOnly: true,
        sameSite: "Strict",
      },
    ]);
    [attacker, victim] = await Promise.all([started("attacker"), started("victim")]);
    evil = await context.newPage();
    await evil.goto(await open(attacker));
    good = await context.newPage();
    await good.goto(await open(victim));
    assert.deepEqual([await evil.title(), await good.title()], ["attacker", "victim"]);
    if (apart) return;
    const { hostname: domain } = new URL(good.url());
    const [cookie] = (await context.cookies()).filter((one) => one.domain === domain);
    assert.ok(cookie !== undefined);
    const { name, value } = cookie;
    await context.addCookies([
      { name, value, domain, path: "/", secure: true, httpOnly: true, sameSite: "None" },
    ]);
  });
  after(async () => {
    await browser[Symbol.asyncDispose]();
    await orchestrator[Symbol.asyncDispose]();
    elsewhere.close();
    elsewhere.closeAllConnections();
  });

  async function started(title: string): Promise<string> {
    const job_id = await orchestrator.schedule({ prompt: prompt(title) });
    await orchestrator.untilPrinted(job_id, "listens");
    return job_id;
  }

  async function open(job_id: string, query = ""): Promise<string> {
    const answer = await orchestrator.fetch(`/jobs/${job_id}/ports/8080/open${query}`, { method: "POST" });
    const { url } = (await answer.json()) as { url: string };
    assert.equal(answer.status, 200);
    return url;
  }

  /** Lets a page do what pages/hostile.js has under that name. */
  const attack = <T>(page: Page | Frame, name: string, ...given: string[]): Promise<T> =>
    page.evaluate(`attacks.${name}(${given.map((one) => JSON.stringify(one)).join()})`);
  const heard = (page: Page): Promise<Heard[]> => attack(page, "heard");

  /** Answers that came to a window while something was done, by what was asked. */
  async function answersDuring(work: () => Promise<unknown>): Promise<Map<string, number>> {
    const answers = new Map<string, number>();
    const note = (response: Response) =>
      void answers.set(`${response.request().method()} ${response.url()}`, response.status());
    context.on("response", note);
    await work();
    context.off("response", note);
    return answers;
  }

  async function opens(page: Page, name: string, url: string): Promise<Page> {
    const [popup] = await Promise.all([context.waitForEvent("page"), attack(page, name, url)]);
    await popup.waitForURL((now) => now.href !== "about:blank");
    await popup.waitForLoadState();
    return popup;
  }

  const apis = () => ["127.0.0.1", "localhost", "sealwork.localhost"].map((name) => `http://${name}:${port}`);
  const isElsewhere = ({ domain }: { domain: string }) => domain !== new URL(evil.url()).hostname;
  async function cookiesOfOurs() {
    const all = await context.cookies();
    return all.filter(({ name }) => name === "__Host-sealwork-preview" || name === "session");
  }

  test("its pages cannot call the API: fetch, form, WebSocket, events, pictures, scripts", async () => {
    const jobs_before = (await orchestrator.jobs()).length;
    for (const api of apis()) {
      const answers = await answersDuring(async () => {
        const got = await attack<string[]>(evil, "callApi", api, victim);
        assert.deepEqual(new Set(got), new Set([""]), `${api}: ${got}`);
      });
      const asked = [...answers].filter(([what]) => what.includes(api));
      assert.ok(asked.length > 0, api);
      for (const [what, status] of asked) assert.equal(status, 403, what);
    }
    assert.equal((await orchestrator.jobs()).length, jobs_before);
    assert.equal((await orchestrator.job(victim)).status, "running");
    assert.ok(!(await heard(good)).some(({ url }) => url.includes("written")));
  });

  test("its pages cannot show, frame or follow API and dashboard, nor reach who opened them", async () => {
    for (const api of apis().map((one) => `${one}/jobs`)) {
      const answers = await answersDuring(async () => {
        await (await opens(evil, "window", api)).close();
        await attack(evil, "frame", api);
      });
      assert.equal(answers.get(`GET ${api}`), 403, api);
    }
    // The person opens the hostile page from the dashboard.
    const page = await context.newPage();
    await page.goto(dashboard);
    const opened = await opens(page, "window", await open(attacker));
    assert.equal(await opened.title(), "attacker");
    assert.equal(await attack(opened, "opener"), null);
    await Promise.all([opened.close(), page.close()]);
  });

  test("it cannot read, overwrite, clear or crowd out cookies of ours", async () => {
    const before_ = await cookiesOfOurs();
    assert.equal(before_.length, apart ? 3 : 4);
    const values = before_.map(({ value }) => value);
    // One of those in its answers was its to set.
    assert.equal(await evil.evaluate("document.cookie"), "fine=1");
    const seen = await attack<string>(evil, "takeCookies");
    for (const value of values) assert.ok(!seen.includes(value));
    // Its own jar it may spoil: then it is locked, and nothing else is.
    const after_ = await cookiesOfOurs();
    assert.deepEqual(after_.filter(isElsewhere), before_.filter(isElsewhere));
    assert.deepEqual(
      after_.filter(({ httpOnly, value }) => httpOnly && !values.includes(value)),
      [],
    );
    await good.reload();
    assert.equal(await good.title(), "victim");
    await evil.goto(await open(attacker));
    assert.equal(await evil.title(), "attacker");
    assert.equal(await evil.evaluate('localStorage.getItem("kept")'), "yes");
    const stolen = (await context.cookies()).filter(({ value }) => value === "stolen");
    assert.deepEqual(stolen.filter(isElsewhere), []);
  });

  test("nothing of ours reaches the sandbox", async () => {
    const told = JSON.stringify([await heard(evil), await heard(good)]);
    const values = (await cookiesOfOurs()).map(({ value }) => value);
    for (const secret of [...values, "sealwork-code", "__Host-sealwork", orchestrator.token || "swt_"])
      assert.ok(secret === "stolen" || !told.includes(secret), secret);
  });

  test("it cannot have a service worker", async () => {
    const got = await attack<{ cached: string; tried: string[]; registrations: number }>(
      evil,
      "installWorker",
    );
    assert.match(got.cached, /respondWith/);
    assert.deepEqual([got.tried, got.registrations], [["", "", ""], 0]);
  });

  test("it cannot reach another job's preview: fetch, picture, script, frame, events, WebSocket, window", async () => {
    const heard_before = (await heard(good)).length;
    const heardSince = async () =>
      (await heard(good))
        .slice(heard_before)
        .map(({ url }) => url)
        .filter((url) => url !== "/heard" && url !== "/favicon.ico");
    const there = new URL(good.url()).origin;
    const got = await attack<string[]>(evil, "reach", there);
    assert.deepEqual(new Set(got), new Set([""]), `${got}`);
    for (const frame of evil.frames().slice(1))
      assert.doesNotMatch(await frame.content(), /content of victim/);
    // Where cookies are not kept apart a frame gets as far as any link does, and is not shown.
    const framed = apart ? [] : ["/framed"];
    assert.deepEqual(await heardSince(), framed);
    // A form is a navigation too, but one that writes.
    const posted = await opens(evil, "form", `${there}/posted`);
    assert.match(await posted.content(), /refused/);
    await posted.close();
    // Going there is allowed, as any link may; whoever opened the window has no hold on it.
    const linked = await opens(evil, "window", `${there}/linked`);
    assert.equal(await linked.title(), "victim");
    assert.equal(await attack(linked, "opener"), null);
    assert.equal(await attack(evil, "hold"), true);
    await linked.close();
    assert.deepEqual(await heardSince(), [...framed, "/linked"]);
  });

  test("in a frame of the dashboard it is shown by a code of its own, in one of another site not, and a tab's cookie opens no frame", async () => {
    const framed = async (site: string, url: string) => {
      const page = await context.newPage();
      await page.goto(site);
      await attack(page, "frame", url);
      const [, frame] = page.frames();
      assert.ok(frame !== undefined);
      const content = await frame.content();
      return { page, frame, content };
    };
    const locked = await framed(dashboard, new URL(evil.url()).origin);
    assert.match(locked.content, /This preview is locked/);
    await locked.page.close();
    const shown = await framed(dashboard, await open(attacker, "?path=/in-a-frame"));
    assert.match(shown.content, /content of attacker/);
    assert.ok(shown.frame.url().endsWith("/in-a-frame"), shown.frame.url());
    // Its own requests bear the cookie of the frame.
    const told = await attack<Heard[]>(shown.frame, "heard");
    assert.ok(told.some(({ url }) => url === "/in-a-frame"));
    await shown.page.close();
    const other = await framed(dashboard.replace("sealwork", "other"), await open(attacker));
    assert.doesNotMatch(other.content, /content of attacker/);
    await other.page.close();
  });

  test("after the job its address is dead, in tabs that are open too", async () => {
    await orchestrator.cancel(attacker);
    await orchestrator.ended(attacker);
    assert.equal(await evil.evaluate('fetch("/heard").then((answer) => answer.status)'), 404);
    await evil.reload();
    assert.match(await evil.content(), /has ended, or never was/);
  });
}
