import type { Page } from "playwright-core";
import type { TestDashboard } from "./dashboard.ts";
import type { Look, Place } from "./dashboard-tour.ts";

/** What the page of a job shows of how it stands. */
export async function tourJobStates({ dashboard, samples }: Place, look: Look): Promise<void> {
  const page = await dashboard.open(`/job/${samples.queued}`);
  await page.getByText("Queued").first().waitFor();
  await look("job-queued", page);
  const states = [
    ["runs", "Check every link of the handbook"],
    ["asks", "May it run this step?"],
    ["failed", "the report lacks: Summary, Figures"],
    ["cancelled", "Crawl the old wiki"],
    ["answered", "Compare January with December"],
    ["report", "report/report.html"],
    ["big", "Make the import of sales figures faster"],
  ] as const;
  for (const [name, text] of states) {
    await page.goto(`${dashboard.origin}/job/${samples[name]}`);
    await page.getByText(text).first().waitFor();
    await look(`job-${name}`, page);
    await page.goto(`${dashboard.origin}/job/${samples[name]}?tab=overview`);
    await page.getByRole("tabpanel").getByRole("heading").first().waitFor();
    await look(`job-${name}-overview`, page);
  }
  await page.close();
}

/** Each surface of a sandbox that is at work. */
export async function tourJobAtWork({ dashboard, samples }: Place, look: Look): Promise<void> {
  const { desktop, page: serves } = samples;
  const page = await dashboard.open(`/job/${desktop}?tab=desktop`);
  const surfaces = page.getByRole("tabpanel");
  const screen = surfaces.locator("canvas").first();
  await screen.waitFor();
  await page.getByText("The agent drives").waitFor();
  await look("desktop-watched", page);
  await page.getByRole("button", { name: "Take control" }).click();
  await page.getByText("You drive").waitFor();
  await look("desktop-driven", page);
  await page.getByRole("button", { name: "Give back" }).click();
  await page.getByRole("button", { name: "Take control" }).waitFor();

  await go(page, dashboard, `/job/${desktop}?tab=jupyter`);
  const lab = page.frameLocator("iframe").first();
  await lab.locator(".jp-Launcher, .jp-Notebook").first().waitFor();
  await look("jupyter", page);

  await go(page, dashboard, `/job/${serves}?tab=terminal`);
  const terminal = page.locator(".xterm-helper-textarea").first();
  await terminal.waitFor({ state: "attached" });
  await page.locator(".xterm-rows").getByText("$").first().waitFor();
  await terminal.focus();
  await page.keyboard.type("ls -l --color poll && grep -n --color votes poll/server.py\n");
  await page.locator(".xterm-rows").getByText("server.log").first().waitFor();
  await look("terminal", page);

  await go(page, dashboard, `/job/${serves}?tab=ports`);
  await page.frameLocator("iframe").first().getByText("Dumplings").waitFor();
  await look("ports", page);

  await go(page, dashboard, `/job/${serves}?tab=files`);
  await page.getByRole("treeitem", { name: "poll" }).click();
  await look("files-tree", page);
  await page.getByRole("treeitem", { name: "server.py" }).click();
  await page.getByText("ThreadingHTTPServer").first().waitFor();
  await look("files-code", page);

  await go(page, dashboard, `/job/${serves}?tab=changes`);
  await surfaces.getByText("server.py").first().waitFor();
  await look("changes-live", page);
  await go(page, dashboard, `/job/${samples.runs}?tab=metrics`);
  await surfaces.locator("canvas").first().waitFor();
  await look("metrics-live", page);
  await page.close();
}

/** What is left of a job, and how it came to be. */
export async function tourEndedJob({ dashboard, samples }: Place, look: Look): Promise<void> {
  const { big, report, answered } = samples;
  const page = await dashboard.open(`/job/${big}?tab=desktop`);
  const surfaces = page.getByRole("tabpanel");
  for (const tab of ["desktop", "terminal", "jupyter", "ports", "changes", "metrics"]) {
    await go(page, dashboard, `/job/${big}?tab=${tab}`);
    await surfaces.locator("h2, h3, canvas, img").first().waitFor();
    await look(`ended-${tab}`, page);
  }
  await go(page, dashboard, `/job/${report}?tab=files`);
  await page.getByRole("treeitem", { name: "report" }).first().click();
  await page.getByRole("treeitem", { name: "report.md" }).click();
  await surfaces.getByRole("heading", { name: "Sales report" }).waitFor();
  await look("ended-files", page);
  await go(page, dashboard, `/job/${answered}?tab=changes`);
  await surfaces.getByText("dearer.md").first().waitFor();
  await look("ended-patch", page);

  const middle_ms = 20 * 60_000;
  for (const tab of ["overview", "desktop", "changes", "metrics"]) {
    await go(page, dashboard, `/job/${big}?tab=${tab}&at=${middle_ms}`);
    await page.getByRole("button", { name: "Now" }).waitFor();
    await surfaces.locator("h2, h3, canvas, img").first().waitFor();
    await look(`replay-${tab}`, page);
  }
  await page.getByRole("button", { name: "Speed" }).click();
  await page.getByRole("menuitemradio").first().waitFor();
  await look("replay-speeds", page);
  await page.keyboard.press("Escape");

  await go(page, dashboard, `/job/${big}`);
  await page
    .getByRole("button", { name: /Open the whole output/ })
    .last()
    .click();
  await page.getByRole("dialog").getByText(/line/i).first().waitFor();
  await look("job-output", page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem").first().waitFor();
  await look("job-menu", page);
  await page.close();
}

/** To another tab of a job as if by a link, with a page of its own state. */
async function go(page: Page, dashboard: TestDashboard, path: string): Promise<void> {
  await page.goto(`${dashboard.origin}${path}`);
}
