import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { formatCost, formatCount } from "../src/contract/units.ts";
import { call, finish, gemini, plan, shell } from "./agents.ts";
import { seedBigJob } from "./big-job.ts";
import { TestDashboard } from "./dashboard.ts";
import { ModelServer } from "./models/server.ts";

/** Waits in a step until the test puts the file there. */
const UNTIL_GO = "until [ -e go ]; do sleep 0.1; done";
const BIG = { events: 12_000, output_bytes: 12_000_000 };

let models: ModelServer;
let dashboard: TestDashboard;
before(async () => {
  models = await ModelServer.start();
  dashboard = await TestDashboard.start({ environment: gemini(models), config: { concurrency: 4 } });
});
after(async () => {
  await dashboard[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

const cards = (page: Page, kind: string) => page.locator(`article[data-kind=${kind}]`);

async function go(job_id: string): Promise<void> {
  const answer = await dashboard.orchestrator.fetch(`/jobs/${job_id}/files/go`, { method: "PUT", body: "" });
  assert.equal(answer.status, 201);
}

function script(...steps: string[]): string {
  return steps.map((step) => `\`\`\`sh\n${step}\n\`\`\`\n`).join("\n");
}

const CLICKS_AGAIN_ONCE_IT_CHANGES = `new Promise((resolve) => {
  const bar = document.querySelector("[aria-label='A question of the job']");
  const asked = bar.querySelector("p").textContent;
  new MutationObserver((_changes, observer) => {
    if (bar.querySelector("p").textContent === asked) return;
    observer.disconnect();
    const allow = bar.querySelector("[data-answer=allow]");
    allow.click();
    resolve(allow !== null);
  }).observe(bar, { subtree: true, childList: true, characterData: true });
})`;

describe("the timeline of a job", { concurrency: 3 }, () => {
  test("a job at work is seen live: question, output, message, end; all of it by keyboard", async () => {
    const play = models.play(
      {
        turns: [
          plan(),
          { answer: shell(`echo first; ${UNTIL_GO}; echo second`) },
          {
            when: { user: "In blue, please." },
            answer: call("write_file", { path: "a.md", content: "blue\n" }),
          },
          ...finish("It is **blue** now."),
        ],
      },
      "gemini-2.5-flash",
    );
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({
      prompt: "# Paint it\n\nIn any colour.",
      model: "google/gemini-2.5-flash",
      agent: "native",
      approval: { policy: "always" },
      linger_s: 600,
    });
    const page = await dashboard.open(`/job/${job_id}`);
    await page.getByRole("heading", { level: 1, name: "Paint it" }).waitFor();
    const question = cards(page, "approval").first();
    await question.getByRole("button", { name: "Allow" }).waitFor();
    await question.focus();
    await page.keyboard.press("a");
    const step = cards(page, "step").first();
    await step.getByText("first", { exact: true }).waitFor();
    assert.equal(await step.getByText("second", { exact: true }).count(), 0);
    await cards(page, "plan").getByText("in work: Do it").waitFor();

    await page.keyboard.press("m");
    await page.keyboard.type("In blue, please.");
    await page.keyboard.press("Enter");
    await cards(page, "message").filter({ hasText: "In blue, please." }).waitFor();
    await go(job_id);
    await step.getByText("second", { exact: true }).waitFor();
    const bar = page.getByRole("region", { name: "A question of the job" });
    await bar.getByRole("button", { name: "Allow" }).click();
    await cards(page, "waiting").getByText("blue", { exact: true }).waitFor();
    await page.getByText(/The agent waits for you; ends in/).waitFor();
    await page.getByRole("button", { name: "End it now" }).click();
    await cards(page, "end").getByText("The job is complete").waitFor();
    await page.getByRole("link", { name: /^Download ZIP \d/ }).waitFor();
    const diff = cards(page, "step").filter({ hasText: "a.md" });
    await diff.getByRole("region", { name: "Changes of a.md" }).getByText("blue", { exact: true }).waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message to the agent" }).count(), 0);

    const { usage } = await orchestrator.job(job_id);
    assert(usage.cost_usd > 0);
    const figures = [formatCount(usage.input_tokens + usage.output_tokens), formatCost(usage.cost_usd)];
    for (const figure of figures) await page.locator("header").getByText(figure, { exact: true }).waitFor();
    await page.getByRole("link", { name: "Jobs", exact: true }).first().click();
    const row = page.getByRole("row").filter({ hasText: "Paint it" });
    for (const figure of ["google/gemini-2.5-flash", ...figures])
      await row.getByText(figure, { exact: true }).waitFor();
    play.assertFinished();
    await page.close();
  });

  test("the question that takes the place of another one is not answered by a second click", async () => {
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({
      prompt: script("curl -sS https://one.example.org/ & curl -sS https://two.example.org/ & wait"),
      agent: "script",
      egress: { policy: "allow", hosts: [] },
      approval: { policy: "risky" },
    });
    const page = await dashboard.open(`/job/${job_id}`);
    const bar = page.getByRole("region", { name: "A question of the job" });
    await bar.getByText("and 1 more").waitFor();
    const clicked = page.evaluate<boolean>(CLICKS_AGAIN_ONCE_IT_CHANGES);
    await bar.getByRole("button", { name: "Allow" }).click();
    assert(await clicked, "the second question was clicked as soon as it stood there");
    await bar.getByRole("button", { name: "Deny" }).click();
    const answered = cards(page, "approval").filter({ hasText: /Allowed|Denied/ });
    await answered.filter({ hasText: "Denied" }).waitFor();
    await answered.filter({ hasText: "Allowed" }).waitFor();
    await orchestrator.cancel(job_id);
    await page.close();
  });

  test("a denied domain is allowed with a click, and a job is cancelled once it was asked", async () => {
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({
      prompt: script(`curl -sS https://denied.example.org/ || true; ${UNTIL_GO}`),
      agent: "script",
      egress: { policy: "allow", hosts: [] },
    });
    const page = await dashboard.open(`/job/${job_id}`);
    const denied = cards(page, "denied");
    await denied.getByText("denied.example.org:443", { exact: true }).waitFor();
    await denied.getByRole("button", { name: "Allow this domain for this job" }).click();
    await denied.getByText("Open for this job since").waitFor();
    assert.deepEqual((await orchestrator.job(job_id)).egress.hosts, ["denied.example.org"]);
    const box = page.getByRole("textbox", { name: "Message to the agent" });
    assert(await box.isDisabled());
    assert.match((await box.getAttribute("placeholder")) ?? "", /takes no messages/);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Yes, cancel the job" }).click();
    await cards(page, "end").getByRole("heading", { name: "The job was cancelled" }).waitFor();
    assert.equal((await orchestrator.job(job_id)).status, "cancelled");
    await page.close();
  });

  test("an ended job opens at its beginning; all that a step wrote is in a dialog, coloured, to its last line", async () => {
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({
      prompt: script(
        "printf '\\033[32mgreen\\033[0m\\n'",
        "for i in $(seq 1 5000); do echo line $i; done",
        "exit 3",
      ),
      agent: "script",
    });
    await orchestrator.ended(job_id);
    const page = await dashboard.open(`/job/${job_id}`);
    const first = page.locator("article[data-index='0']");
    await first.getByText("Scheduled").waitFor();
    await cards(page, "step").first().getByText("green", { exact: true }).waitFor();
    const colours = await page.evaluate<string[]>(
      "[...document.querySelectorAll('article[data-kind=step] pre span')].filter((one) => one.textContent === 'green').map((one) => getComputedStyle(one).color)",
    );
    const [green] = colours;
    const ink = await page.evaluate("getComputedStyle(document.body).color");
    assert.equal(colours.length, 1);
    assert.notEqual(green, ink);

    const long = cards(page, "step").nth(1);
    await long.getByText("line 5000", { exact: true }).waitFor();
    assert.equal(await long.getByText("line 4000", { exact: true }).count(), 0);
    await long.focus();
    await page.keyboard.press("o");
    const dialog = page.getByRole("dialog", { name: "Output of step 2" });
    await dialog.getByText("line 1", { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "To the end" }).click();
    await dialog.getByText("line 5000", { exact: true }).waitFor();
    assert((await dialog.locator("*").count()) < 1_000, "lines out of sight are not on the page");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await cards(page, "step").nth(2).getByText("exit 3", { exact: true }).waitFor();
    await page.close();
  });

  test("what is looked for is found, and only that is shown", async () => {
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({
      prompt: script("echo one", "echo needle"),
      agent: "script",
    });
    await orchestrator.ended(job_id);
    const page = await dashboard.open(`/job/${job_id}`);
    await cards(page, "step").nth(1).waitFor();
    await page.getByRole("radio", { name: "Steps" }).click();
    await cards(page, "note").first().waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Search in the timeline" }).click();
    await page.keyboard.type("needle");
    await page.getByText("1 found").waitFor();
    assert.equal(await page.locator("article[data-index]").count(), 1);
    await page.close();
  });
});

test("a job of thousands of steps puts only what is in sight on the page, and asks for output only where somebody looks", async () => {
  const { orchestrator } = dashboard;
  await orchestrator.stop();
  const job_id = await seedBigJob(orchestrator.data, BIG);
  await orchestrator.restart();
  const page = await dashboard.context.newPage();
  const asked: URL[] = [];
  page.on("request", (request) => asked.push(new URL(request.url())));
  await page.goto(`${dashboard.origin}/job/${job_id}`);
  await cards(page, "step").first().waitFor();
  const feed = page.getByRole("feed");
  await page.locator("[role=feed][aria-busy=false]").waitFor();
  const outputs = () =>
    asked.filter(
      ({ pathname, searchParams }) =>
        pathname.endsWith("/events") && searchParams.get("types") === "step.output",
    ).length;
  const stories = asked.filter(
    ({ pathname, searchParams }) =>
      pathname === `/jobs/${job_id}/events` && searchParams.get("types") !== "step.output",
  );
  assert(stories.length <= 6, `the story came in ${stories.length} requests`);
  assert((await feed.locator("article").count()) < 60);
  assert((await page.locator("*").count()) < 6_000);

  await page.evaluate(
    "document.querySelector('[role=feed]').scrollTop = document.querySelector('[role=feed]').scrollHeight",
  );
  await cards(page, "end").getByText("The job is complete").waitFor();
  assert((await feed.locator("article").count()) < 60);
  const { steps } = JSON.parse(
    (await orchestrator.zip(job_id)).get(".sealwork/result.json")?.content.toString() ?? "{}",
  );
  assert(steps.length > 40, "it has many steps");
  assert(outputs() < steps.length, `${outputs()} requests for the outputs of ${steps.length} steps`);
  await page.close();
});
