import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page, Response } from "playwright-core";
import { TestDashboard } from "./dashboard.ts";
import { script } from "./harness.ts";

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start();
});
after(() => dashboard[Symbol.asyncDispose]());

/** The dashboard has drawn itself. */
async function ready(page: Page): Promise<void> {
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

test("a page loads from its own origin alone, its files for good, and compressed", async () => {
  const page = await dashboard.context.newPage();
  const answers: Response[] = [];
  page.on("response", (answer) => answers.push(answer));
  const asked: string[] = [];
  dashboard.context.on("request", (request) => asked.push(request.url()));
  await page.goto(`${dashboard.origin}/`);
  await ready(page);
  assert.ok(asked.length > 5, asked.join());
  const elsewhere = asked.filter((url) => new URL(url).origin !== dashboard.origin);
  assert.deepEqual(elsewhere, []);
  const assets = answers.filter((answer) => new URL(answer.url()).pathname.startsWith("/assets/"));
  const scripts = assets.filter((answer) => answer.url().endsWith(".js"));
  assert.ok(scripts.length > 1 && assets.length > scripts.length);
  for (const asset of assets) {
    const headers = await asset.allHeaders();
    assert.match(headers["cache-control"] ?? "", /immutable/, asset.url());
    assert.equal(asset.status(), 200, asset.url());
  }
  const large = await Promise.all(scripts.map((answer) => answer.allHeaders()));
  assert.ok(large.some((headers) => headers["content-encoding"] === "br"));
});

test("the second load takes the files of the build out of the browser's cache", async () => {
  const page = await dashboard.open("/settings");
  await ready(page);
  await page.reload();
  await ready(page);
  const fetched = await page.evaluate<[string, number][]>(
    `performance.getEntriesByType("resource").map(({ name, transferSize }) => [new URL(name).pathname, transferSize])`,
  );
  const assets = fetched.filter(([path]) => path.startsWith("/assets/"));
  assert.ok(assets.length > 1);
  assert.deepEqual(
    assets.filter(([, bytes]) => bytes > 0),
    [],
  );
});

test("a browser that comes by another name of this machine ends at the dashboard's own", async () => {
  const { port } = new URL(dashboard.orchestrator.url);
  for (const host of ["127.0.0.1", "localhost"]) {
    const page = await dashboard.context.newPage();
    await page.goto(`http://${host}:${port}/settings?at=here`);
    assert.equal(new URL(page.url()).origin, dashboard.origin);
    await ready(page);
    await page.close();
  }
});

test("programs get JSON where browsers get a page, and are led nowhere", async () => {
  const { orchestrator } = dashboard;
  const job_id = await orchestrator.schedule({ prompt: script("true") });
  const root = await orchestrator.fetch("/", { redirect: "manual" });
  assert.equal(root.status, 200);
  assert.equal(((await root.json()) as { docs: string }).docs, "/docs");
  const job = await orchestrator.fetch(`/job/${job_id}`, { redirect: "manual" });
  assert.equal(((await job.json()) as { job_id: string }).job_id, job_id);
  const page = await dashboard.context.newPage();
  const shown = await page.goto(`${dashboard.origin}/job/${job_id}`);
  assert.match(shown?.headers()["content-type"] ?? "", /^text\/html/);
});

/** What somebody would try who could run a little of his own in the page; runs there. Tells what was refused, and what is left of it; ends only when the rest was refused, too. */
const ATTACKS = `(async () => {
  const refused = (run) => {
    try {
      run();
      return false;
    } catch {
      return true;
    }
  };
  const violated = async (directive, run) => {
    const told = new Promise((resolve) =>
      document.addEventListener("securitypolicyviolation", (event) => event.effectiveDirective === directive && resolve()));
    run();
    await told;
  };
  const thrown = {
    markup: refused(() => document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=alert(1)>")),
    attribute: refused(() => document.body.setAttribute("onclick", "document.title = 'changed'")),
    text: refused(() => setTimeout("document.title = 'changed'")),
    worker: refused(() => new Worker("data:text/javascript,1")),
    foreign_script: refused(() => { document.createElement("script").src = "http://127.0.0.1:1/x.js"; }),
  };
  await violated("img-src", () => { new Image().src = "http://127.0.0.1:1/picture.png"; });
  await violated("frame-src", () => {
    const frame = document.createElement("iframe");
    frame.src = "http://127.0.0.1:1/";
    document.body.append(frame);
  });
  await violated("connect-src", () => void fetch("http://127.0.0.1:1/").catch(() => undefined));
  await violated("style-src-elem", () => {
    const style = document.createElement("style");
    style.nonce = "guessed";
    style.textContent = "body { display: none }";
    document.body.append(style);
  });
  return { thrown, title: document.title, display: getComputedStyle(document.body).display };
})()`;

test("the policy holds in the browser: nothing from text, nothing from elsewhere, no frame but previews", async () => {
  dashboard.expectProblems(/Content Security Policy|This document requires 'Trusted|This page (makes|runs)/);
  const page = await dashboard.open("/");
  await ready(page);
  const { thrown, title, display } = await page.evaluate<{
    thrown: Record<string, boolean>;
    title: string;
    display: string;
  }>(ATTACKS);
  assert.deepEqual(thrown, {
    markup: true,
    attribute: true,
    text: true,
    worker: true,
    foreign_script: true,
  });
  assert.doesNotMatch(title, /changed/);
  assert.notEqual(display, "none");
});

test("a preview opens from the page in a tab of its own, and has no hold on the page", async () => {
  const { orchestrator } = dashboard;
  // Until the server inside listens its page says so.
  dashboard.expectProblems(/\(http:\/\/p8321-/);
  const job_id = await orchestrator.schedule({
    prompt: script("mkdir site && echo works > site/it-works.txt && python3 -m http.server -d site 8321"),
  });
  const page = await dashboard.open("/");
  await ready(page);
  for await (const event of orchestrator.events(job_id)) if (event.type === "step.started") break;
  const opened = dashboard.context.waitForEvent("page");
  await page.evaluate(`fetch("/jobs/${job_id}/ports/8321/open", { method: "POST" })
    .then((answer) => answer.json())
    .then(({ url }) => void window.open(url))`);
  const preview = await opened;
  await preview.getByText("it-works.txt").waitFor();
  assert.match(preview.url(), /^http:\/\/p8321-/);
  assert.equal(await preview.evaluate("window.opener === null"), true);
  await orchestrator.cancel(job_id);
});
