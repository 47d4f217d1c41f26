import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { TestDashboard, untilTitled } from "./dashboard.ts";
import { findingsInBothThemes } from "./dashboard-axe.ts";
import { script } from "./harness.ts";
import { seedManyJobs } from "./many-jobs.ts";

const KEPT_JOBS = 3_000;
const WAITS = script("sleep 3600");

type Scroller = { scrollHeight: number; scrollTo(x: number, y: number): void };

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start();
});
after(() => dashboard[Symbol.asyncDispose]());

const rows = (page: Page) => page.getByRole("row").filter({ has: page.getByRole("gridcell") });
const row = (page: Page, text: string) => rows(page).filter({ hasText: text });
const searched = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);

test("who has no job yet reads what this is, and runs an example with a click", async () => {
  const page = await dashboard.open();
  await page.getByRole("heading", { name: /Describe a task/ }).waitFor();
  assert.equal(await page.title(), "Jobs · Sealwork");
  assert.equal(await page.getByRole("button", { name: /Run it/ }).count(), 3);
  await page.getByRole("button", { name: /report with a chart/ }).click();
  await page.waitForURL(/\/job\/[0-9a-f-]{36}$/);
  await untilTitled(page, /^Complete – Sales report · Sealwork$/);
  await page.goBack();
  await row(page, "Sales report").getByText("Complete", { exact: true }).waitFor();
  await page.close();
});

test("jobs come and change by themselves, and every filter stands in the address", async () => {
  const { orchestrator } = dashboard;
  const page = await dashboard.open();
  await row(page, "Sales report").waitFor();
  await page.evaluate("globalThis.never_loaded_anew = true");
  const runs = await orchestrator.schedule({
    prompt: `# Runs on\n\n${WAITS}`,
    labels: { team: "ops", bare: "" },
  });
  await row(page, "Runs on").getByText("Working", { exact: true }).waitFor();
  const fails = await orchestrator.schedule({
    prompt: `# Goes wrong\n\n${script("exit 7")}`,
    labels: { team: "web" },
  });
  await orchestrator.ended(fails);
  await row(page, "Goes wrong").getByText("Failed", { exact: true }).waitFor();
  await row(page, "Goes wrong")
    .getByText(/exited with code 7/)
    .waitFor();

  await page.getByRole("link", { name: "Running", exact: true }).click();
  await row(page, "Sales report").waitFor({ state: "detached" });
  assert.deepEqual(searched(page), { status: "running" });
  assert.equal(await rows(page).count(), 1);
  await orchestrator.cancel(runs);
  await page.getByText("No job with this status").waitFor();
  await page.getByRole("link", { name: "Cancelled", exact: true }).click();
  await row(page, "Runs on").waitFor();
  await row(page, "Runs on").getByRole("link", { name: "bare" }).click();
  await page.getByRole("link", { name: /No longer only jobs with the label bare/ }).waitFor();
  assert.deepEqual(searched(page), { status: "cancelled", label: "bare" });
  await page.goBack();
  await page.goBack();
  await page.getByText("No job with this status").waitFor();
  assert.deepEqual(searched(page), { status: "running" });
  await page.getByRole("link", { name: "Clear the filters" }).click();
  await row(page, "Sales report").waitFor();

  await page.getByRole("searchbox").fill("WRONG");
  await row(page, "Sales report").waitFor({ state: "detached" });
  assert.deepEqual(searched(page), { text: "WRONG" });
  await page.getByRole("searchbox").fill("nothing has this");
  await page.getByText("No job with these words in the prompt").waitFor();
  await page.goBack();
  await row(page, "Sales report").waitFor();
  assert.equal(await page.getByRole("searchbox").inputValue(), "", "one step back is before the search");
  assert.equal(await page.evaluate("globalThis.never_loaded_anew"), true);
  await page.close();
});

test("a job is cancelled after a question, retried, cloned and downloaded from its row", async () => {
  const { orchestrator } = dashboard;
  const job_id = await orchestrator.schedule({ prompt: `# To be cancelled\n\n${WAITS}` });
  const page = await dashboard.open();
  await row(page, "To be cancelled").getByText("Working", { exact: true }).waitFor();
  const menu = page.getByRole("button", { name: "Actions for To be cancelled" });
  await menu.click();
  await page.getByRole("menuitem", { name: "Cancel…" }).click();
  await page.getByRole("button", { name: "Let it work" }).click();
  await menu.click();
  await page.getByRole("menuitem", { name: "Cancel…" }).click();
  await page.getByRole("button", { name: "Cancel the job" }).click();
  await row(page, "To be cancelled").getByText("Cancelled", { exact: true }).waitFor();
  assert.equal((await orchestrator.job(job_id)).status, "cancelled");
  await menu.click();
  const download = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Download ZIP" }).click();
  assert.match((await download).suggestedFilename(), /\.zip$/);
  await menu.click();
  await page.getByRole("menuitem", { name: "Retry as it was" }).click();
  await row(page, "To be cancelled").getByText("Working", { exact: true }).waitFor();
  assert.equal(await row(page, "To be cancelled").count(), 2);
  const [again] = (await orchestrator.jobs()).filter(({ status }) => status === "running");
  await orchestrator.cancel(again?.job_id ?? "");
  await menu.first().click();
  await page.getByRole("menuitem", { name: "Clone into a new job" }).click();
  await page.waitForURL(/\/new\?from=/);
  await page.close();
});

test("the list is gone through by keyboard", async () => {
  const page = await dashboard.open();
  await row(page, "Sales report").waitFor();
  const focused_job = () => page.evaluate<string>("document.activeElement.dataset.job");
  await page.keyboard.press("j");
  const first = await focused_job();
  await page.keyboard.press("j");
  const second = await focused_job();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("k");
  assert.equal(await focused_job(), second);
  assert.notEqual(first, second);
  await page.keyboard.press("End");
  await page.locator("a:focus", { hasText: "Sales report" }).waitFor();
  await page.keyboard.press("Enter");
  // The address changes first, the page then.
  await page.getByRole("grid", { name: "Jobs" }).waitFor({ state: "detached" });
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await row(page, "Sales report").waitFor();
  // Those who listen instead of looking hear what page it is.
  await page.locator("h1:focus", { hasText: "Jobs" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("sales");
  await row(page, "Goes wrong").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await row(page, "Goes wrong").waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByText("Next job").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Commands" }).waitFor();
  await page.keyboard.type("sales rep");
  await page.getByRole("option", { name: /Sales report/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/job\//);
  await untilTitled(page, /Sales report/);
  await page.close();
});

test("what a prompt and its labels say is text on one line, whatever it is", async () => {
  const { orchestrator } = dashboard;
  const page = await dashboard.open();
  await row(page, "Sales report").waitFor();
  const prompt = `\u202egpj.\u2066<img src=x onerror="document.title='taken'">\u001b[31m\n\n${script("true")}`;
  await orchestrator.ended(
    await orchestrator.schedule({ prompt, labels: { x: "</a><script>alert(1)</script>\u202e" } }),
  );
  const shown = rows(page).filter({ hasText: "onerror" });
  await shown.getByText("Complete", { exact: true }).waitFor();
  const text = await shown.innerText();
  assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069\u001b]/);
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.equal(await page.title(), "Jobs · Sealwork");
  await page.close();
});

for (const size of [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
])
  test(`at ${size.width} pixels nothing keeps people with other needs out, and nothing is wider than the window`, async () => {
    const page = await dashboard.open();
    await page.setViewportSize(size);
    await row(page, "Sales report").waitFor();
    assert.deepEqual(await findingsInBothThemes(page), []);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), size.width);
    await page.close();
  });

test("thousands of jobs scroll with few of them drawn, and what is read stays where it is", async () => {
  const { orchestrator } = dashboard;
  dashboard.expectProblems(/net::ERR_/);
  await orchestrator.stop();
  await seedManyJobs(orchestrator.data, KEPT_JOBS);
  await orchestrator.restart({ same_port: true });
  const page = await dashboard.open("/?text=job");
  await row(page, `Kept job ${KEPT_JOBS}`).waitFor();
  const grid = page.getByRole("grid");
  assert.equal(await grid.getAttribute("aria-rowcount"), "-1", "how many there are is not known yet");
  const scrollTo = (share: number) =>
    grid.evaluate((element, part) => {
      const { parentElement: scroller } = element as unknown as { parentElement: Scroller };
      scroller.scrollTo(0, scroller.scrollHeight * part);
    }, share);
  const oldest = row(page, "Kept job 1").filter({ hasNotText: /Kept job 1\d/ });
  while ((await oldest.count()) === 0) await scrollTo(1);
  assert.equal(await grid.getAttribute("aria-rowcount"), String(KEPT_JOBS + 1));
  assert.ok((await rows(page).count()) < 80, "only what is seen is there");

  await scrollTo(0.5);
  const read = row(page, "Kept job 1500");
  await read.waitFor();
  const before_y = (await read.boundingBox())?.y;
  await orchestrator.schedule({ prompt: `# A new job\n\n${script("true")}` });
  await page.getByRole("button", { name: "1 new job" }).waitFor();
  assert.equal((await read.boundingBox())?.y, before_y);
  await read.getByRole("link").first().click();
  await page.waitForURL(/\/job\//);
  await page.goBack();
  await read.waitFor();
  assert.equal((await read.boundingBox())?.y, before_y, "the way back leads to where one was");
  await page.getByRole("button", { name: /new job/ }).click();
  await row(page, "A new job").getByText("Complete", { exact: true }).waitFor();
  await page.close();
});
