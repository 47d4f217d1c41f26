import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { CountingProxy } from "./counting-proxy.ts";
import { TestDashboard, untilTitled } from "./dashboard.ts";
import { script } from "./harness.ts";

/** What a page may complain of while its server is away. */
const AWAY = /net::ERR_|Failed to load resource/;
/** Works until somebody puts a file there. */
const WAITS = "until [ -e go ]; do sleep 0.2; done; echo gone on";

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start();
});
after(() => dashboard[Symbol.asyncDispose]());

const status = (page: Page, title: string, word: string) =>
  page.getByRole("row").filter({ hasText: title }).getByText(word, { exact: true });

async function goOn(job_id: string): Promise<void> {
  const answer = await dashboard.orchestrator.fetch(`/jobs/${job_id}/files/go`, { method: "PUT", body: "" });
  assert.equal(answer.status, 201);
}

test("ten tabs stay live by one stream of events", async () => {
  await using proxy = await CountingProxy.start(dashboard.orchestrator.url);
  const { orchestrator, context } = dashboard;
  const ids: string[] = [];
  for (const title of ["Alpha", "Beta"])
    ids.push(await orchestrator.schedule({ prompt: `# ${title}\n\n${script(WAITS)}` }));
  const [alpha = "", beta = ""] = ids;
  const open = async (path: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(`http://sealwork.localhost:${proxy.port}${path}`);
    return page;
  };
  const lists: Page[] = [];
  const pages: Page[] = [];
  for (let tab = 0; tab < 5; tab += 1) {
    lists.push(await open("/"));
    pages.push(await open(`/job/${tab % 2 === 0 ? alpha : beta}`));
  }
  for (const list of lists) await status(list, "Alpha", "Working").waitFor();
  for (const page of pages) await untilTitled(page, /^● Working/);
  await goOn(alpha);
  await goOn(beta);
  for (const list of lists) {
    await status(list, "Alpha", "Complete").waitFor();
    await status(list, "Beta", "Complete").waitFor();
  }
  for (const page of pages) await untilTitled(page, /^Complete/);
  assert.equal(proxy.streams.open, 1, `${JSON.stringify(proxy.streams)}`);
  for (const page of [...lists, ...pages]) await page.close();
});

for (const signal of ["SIGTERM", "SIGKILL"] as const)
  test(`a server that is ended by ${signal} is said to be away, and all is true again once it is back`, async () => {
    const { orchestrator } = dashboard;
    dashboard.expectProblems(AWAY);
    const title = `Outlives ${signal}`;
    const job_id = await orchestrator.schedule({ prompt: `# ${title}\n\n${script(WAITS)}` });
    const list = await dashboard.open("/");
    const page = await dashboard.open(`/job/${job_id}`);
    await status(list, title, "Working").waitFor();
    await untilTitled(page, /^● Working/);
    for (const tab of [list, page]) await tab.evaluate("globalThis.never_loaded_anew = true");

    await orchestrator.stop(signal);
    for (const tab of [list, page]) await tab.getByText("The server cannot be reached").waitFor();
    await status(list, title, "Was working").waitFor();
    await untilTitled(page, /^● Was working/);

    // What is asked for meanwhile comes with the server.
    await page.getByRole("tab", { name: "Metrics" }).click();

    // One of the tabs finds the page of another build.
    const other_build = '<script type="module" src="/assets/index-of-another-build.js"></script>';
    await list.route("**/settings", (route) =>
      route.fulfill({ contentType: "text/html", body: other_build }),
    );
    await orchestrator.restart({ same_port: true });
    for (const tab of [list, page])
      await tab.getByText("The server cannot be reached").waitFor({ state: "hidden" });
    await status(list, title, "Working").waitFor();
    await list.getByText("The server was updated").waitFor();
    await page.getByRole("tabpanel").locator("canvas").first().waitFor();
    await orchestrator.until(job_id, ({ type, data }) => type === "sandbox.linked" && data.relinked);
    await goOn(job_id);
    await status(list, title, "Complete").waitFor();
    await untilTitled(page, /^Complete/);
    const later = await orchestrator.schedule({ prompt: `# After ${signal}\n\n${script("true")}` });
    await status(list, `After ${signal}`, "Complete").waitFor();
    await orchestrator.ended(later);
    assert.equal(await page.getByText("The server was updated").count(), 0);
    for (const tab of [list, page]) {
      assert.equal(await tab.evaluate("globalThis.never_loaded_anew"), true);
      await tab.close();
    }
  });
