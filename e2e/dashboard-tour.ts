import type { Page } from "playwright-core";
import { gemini } from "./agents.ts";
import { TestDashboard } from "./dashboard.ts";
import { makeSamples, SAMPLE_CONCURRENCY, type Samples } from "./dashboard-samples.ts";
import { tourEndedJob, tourJobAtWork, tourJobStates } from "./dashboard-tour-job.ts";
import { PATIENCE_MS } from "./harness.ts";
import { ModelServer } from "./models/server.ts";

/** Called wherever something stands to be looked at; `name` says what it is, and is unique. `again` makes it so once more, for what a change of the window closes. */
export type Look = (name: string, page: Page, again?: () => Promise<unknown>) => Promise<void>;

/** A dashboard with all that there is to look at: real orchestrator, real containers, models by script. */
export type Place = { dashboard: TestDashboard; samples: Samples };

export async function openPlace(): Promise<Place & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const models = stack.use(await ModelServer.start());
  const dashboard = stack.use(
    await TestDashboard.start({ environment: gemini(models), config: { concurrency: SAMPLE_CONCURRENCY } }),
  );
  dashboard.context.setDefaultTimeout(PATIENCE_MS);
  const samples = await makeSamples(dashboard.orchestrator, models);
  const kept = stack.move();
  return { dashboard, samples, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

type Tour = (place: Place, look: Look) => Promise<void>;

/** All tours, in the order in which they go; together they lead through every page, tab, dialog and state of the dashboard. */
export const TOURS: readonly [about: string, tour: Tour][] = [
  ["the dashboard of somebody new", (_, look) => tourWithoutJobs(look)],
  ["the list, commands and shortcuts", tourList],
  ["the page for a new job", tourNewJob],
  ["jobs as they stand", tourJobStates],
  ["the surfaces of a job at work", tourJobAtWork],
  ["what is left of a job, and its replay", tourEndedJob],
  ["the settings", tourSettings],
  ["what is not there", tourLosses],
];

/** As somebody finds it who has just installed it. */
async function tourWithoutJobs(look: Look): Promise<void> {
  await using dashboard = await TestDashboard.start();
  dashboard.context.setDefaultTimeout(PATIENCE_MS);
  const page = await dashboard.open("/");
  await page.getByRole("button", { name: "Make a report with a chart" }).waitFor();
  await look("jobs-none", page);

  await page.goto(`${dashboard.origin}/new`);
  const task = page.getByRole("textbox", { name: "Task" });
  await task.fill("Turn sales.csv into a chart, and say which month was the best.");
  await page.getByText("No model is configured").first().waitFor();
  await look("new-without-model", page);
  await page.goto(`${dashboard.origin}/settings/models`);
  await page.getByRole("heading", { name: "Models", exact: true }).waitFor();
  await look("settings-models-none", page);

  await page.goto(`${dashboard.origin}/settings/tokens`);
  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await page.getByRole("heading", { name: "Sign in to Sealwork" }).waitFor();
  await look("sign-in", page);
  dashboard.expectProblems(/401/);
  await page.getByLabel("Token").fill("not-a-token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(/token/i).last().waitFor();
  await page.locator("[aria-invalid=true]").waitFor();
  await look("sign-in-refused", page);
  await page.goto(`${dashboard.origin}/sign-in?code=used`);
  await page.getByText("That link has been used").waitFor();
  await look("sign-in-link-used", page);
  await page.close();
}

async function tourList({ dashboard }: Place, look: Look): Promise<void> {
  const page = await dashboard.open("/");
  await page.getByText("Nightly backup check").waitFor();
  await look("jobs", page);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await look("jobs-by-keyboard", page);
  const menu = page.getByRole("menuitem");
  // A row has another form where the window is narrow, which closes its menu.
  const actions = async () => {
    if ((await menu.count()) === 0)
      await page.getByRole("button", { name: "Actions for Check every link of the handbook" }).click();
    await menu.first().waitFor();
  };
  await actions();
  await look("jobs-menu", page, actions);
  await actions();
  await page.getByRole("menuitem", { name: "Cancel" }).click();
  await page.getByRole("dialog", { name: "Cancel this job?" }).waitFor();
  await look("jobs-cancel", page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Commands" }).waitFor();
  await page.getByText("Newest jobs").waitFor();
  await look("commands", page);
  await page.keyboard.type("settings");
  await look("commands-typed", page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await look("shortcuts", page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Theme" }).click();
  await page.getByRole("menuitemradio").first().waitFor();
  await look("themes", page);
  await page.goto(`${dashboard.origin}/?status=error`);
  await page.getByText("Check the backup of Tuesday").waitFor();
  await look("jobs-failed", page);
  await page.goto(`${dashboard.origin}/?text=zeppelin&status=running`);
  await page.getByText("Clear the filters").waitFor();
  await look("jobs-nothing-found", page);
  await page.close();
}

const TASK = `Compare the **three suppliers** in \`prices.csv\` and tell me which one got dearer this year.

- a table with one row for each supplier
- one sentence that I can send on

\`\`\`python
import csv
print(list(csv.DictReader(open("prices.csv"))))
\`\`\`
`;

async function tourNewJob({ dashboard }: Place, look: Look): Promise<void> {
  const page = await dashboard.open("/new");
  const task = page.getByRole("textbox", { name: "Task" });
  await task.waitFor();
  await look("new", page);
  await task.fill(TASK);
  await page.getByLabel("Files", { exact: true }).setInputFiles([
    {
      name: "prices.csv",
      mimeType: "text/csv",
      buffer: Buffer.from("supplier,price\nAlder,12.4\n".repeat(40)),
    },
    {
      name: "last-year-with-a-rather-long-name-of-its-own.xlsx",
      mimeType: "application/x-xlsx",
      buffer: Buffer.alloc(48_000),
    },
  ]);
  await page.getByRole("button", { name: "Limits, network, budget" }).click();
  await page.getByLabel("Memory").fill("4g");
  await page.getByLabel("And these hosts").fill("api.example.org\n*.suppliers.example");
  await page.getByLabel("Tokens").fill("400k");
  await page.getByRole("button", { name: "Add a label" }).click();
  await page.getByRole("button", { name: "Add a variable" }).click();
  await look("new-filled", page);
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByRole("heading", { name: "New job" }).scrollIntoViewIfNeeded();
  await look("new-preview", page);
  await page.getByRole("button", { name: "Write" }).click();
  await page.getByRole("tab", { name: "curl" }).click();
  await page.getByLabel("Memory").fill("lots");
  await task.fill("");
  await page.getByRole("button", { name: "Schedule" }).click();
  await page.locator("[aria-invalid=true]").first().waitFor();
  await look("new-faults", page);
  await page.getByRole("button", { name: "Start over" }).click();
  // It closes by itself when the window gets another size.
  const agents = async () => {
    const list = page.getByRole("listbox");
    if ((await list.count()) === 0) await page.getByRole("combobox", { name: "Agent" }).click();
    await list.waitFor();
  };
  await agents();
  await look("new-agents", page, agents);
  await page.close();
}

async function tourSettings({ dashboard }: Place, look: Look): Promise<void> {
  const page = await dashboard.open("/settings/tokens");
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("nightly report");
  await look("settings-token-new", page);
  await dialog.getByRole("button", { name: "Make it" }).click();
  await dialog.getByRole("button", { name: "Done" }).waitFor();
  await look("settings-token-made", page);
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Revoke nightly report" }).waitFor();
  await look("settings-tokens", page);
  await page.getByRole("button", { name: "Revoke nightly report" }).click();
  await page.getByRole("dialog").waitFor();
  await look("settings-token-revoke", page);
  for (const name of ["templates", "models"]) {
    await page.goto(`${dashboard.origin}/settings/${name}`);
    await page.getByRole("heading", { level: 2 }).first().waitFor();
    await look(`settings-${name}`, page);
  }
  await page.goto(`${dashboard.origin}/settings/engine`);
  await page.getByText(/^Checked/).waitFor();
  await look("settings-engine", page);
  await page.close();
}

/** Addresses that lead nowhere, and a server that is gone. */
async function tourLosses({ dashboard, samples }: Place, look: Look): Promise<void> {
  dashboard.expectProblems(/404|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|Failed to load|ERR_/);
  const page = await dashboard.open("/job/01a20bc8-f06c-7dd3-aaf3-7408c44234fb");
  await page.getByRole("alert").waitFor();
  await look("job-unknown", page);
  await page.goto(`${dashboard.origin}/`);
  await page.getByText("Nightly backup check").waitFor();
  const job = await dashboard.open(`/job/${samples.runs}`);
  await job.locator("[role=feed][aria-busy=false]").waitFor();
  await dashboard.orchestrator.stop();
  for (const [name, lost] of [
    ["jobs-server-lost", page],
    ["job-server-lost", job],
  ] as const) {
    await lost
      .getByText(/The server cannot be reached|Connection lost|not be reached/i)
      .first()
      .waitFor();
    await look(name, lost);
  }
  await dashboard.orchestrator.restart();
  await Promise.all([page.close(), job.close()]);
}
