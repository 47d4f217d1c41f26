import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import type { JobRequestInput } from "../src/contract/job.ts";
import { TestDashboard } from "./dashboard.ts";
import { script } from "./harness.ts";

const MIB = 1024 * 1024;

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start({
    config: { concurrency: 4, templates: { gone: { image: "example.invalid/gone:1" } } },
  });
});
after(() => dashboard[Symbol.asyncDispose]());

/** The page of a job that has ended. */
async function ended(request: JobRequestInput, tab = ""): Promise<{ page: Page; job_id: string }> {
  const { orchestrator } = dashboard;
  const job_id = await orchestrator.schedule(request);
  await orchestrator.ended(job_id);
  const page = await dashboard.open(`/job/${job_id}${tab}`);
  return { page, job_id };
}

const why = (page: Page) => page.getByRole("region", { name: "How it went" });
const phases = (page: Page) => why(page).getByRole("list", { name: "Phases" }).getByRole("listitem");

describe("the overview of a job", () => {
  test("one that lacked memory says how much it had, shows what failed, and is cloned with more", async () => {
    const { page } = await ended({
      prompt: script("echo begin; python3 -c 'x=[bytearray(10_000_000) for _ in range(60)]'"),
      limits: { memory_bytes: 256 * MIB },
    });
    await why(page)
      .getByText(/had no memory left/)
      .waitFor();
    await why(page).getByText("256 MiB").first().waitFor();
    const last_words = why(page).getByRole("region", { name: "The last lines of step 1" });
    await last_words.getByText("begin").waitFor();
    assert.deepEqual(
      (await phases(page).allTextContents()).map((text) => /^[A-Z][a-z ]+/.exec(text)?.[0]?.trim()),
      ["Queued", "Container", "Runner linked", "First step", "Working", "Packing"],
    );
    await why(page).getByRole("button", { name: "Show that moment" }).click();
    await page.waitForURL((url) => Number(url.searchParams.get("at")) > 0);
    await page.keyboard.press("Escape");
    await why(page).getByRole("link", { name: "Clone with 512 MiB" }).click();
    await page.waitForURL((url) => url.pathname === "/new");
    await page.getByRole("button", { name: /^Limits, network, budget/ }).click();
    assert.equal(await page.getByRole("textbox", { name: "Memory" }).inputValue(), "512m");
    await page.close();
  });

  test("one whose image is missing never came to a runner, and says what to do", async () => {
    const { page } = await ended({ prompt: script("echo hello"), template: "gone" });
    await why(page)
      .getByText(/example\.invalid\/gone:1 of template gone is not there/)
      .waitFor();
    await why(page)
      .getByText(/Build it/)
      .waitFor();
    assert.deepEqual(
      (await phases(page).allTextContents()).map((text) => /^[A-Z][a-z ]+/.exec(text)?.[0]?.trim()),
      ["Queued", "Container", "Packing"],
    );
    await why(page).getByRole("link", { name: "Look at the templates" }).click();
    await page.waitForURL((url) => url.pathname === "/settings/templates");
    await page.close();
  });

  test("one that ran out of time tells its limit, and the step it was at", async () => {
    const { page } = await ended({
      prompt: script("for i in $(seq 1 600); do echo tick $i; sleep 0.5; done"),
      limits: { timeout_s: 3 },
    });
    await why(page).getByText("The job reached its clock limit of 3 s.").waitFor();
    await why(page)
      .getByRole("region", { name: "The last lines of step 1" })
      .getByText("tick 2", { exact: true })
      .waitFor();
    await why(page).getByRole("link", { name: "Clone with 6 s" }).waitFor();
    await page.close();
  });

  test("one that is complete shows what was asked, its settings and its ZIP; a retry leads to the new job", async () => {
    const { page, job_id } = await ended({
      prompt: `# Count\n\nCount to **three**.\n\n${script("seq 1 3 | tee numbers.txt")}`,
      labels: { team: "figures" },
      egress: { policy: "none" },
    });
    await why(page)
      .getByText(/^Complete after .* and 1 step\.$/)
      .waitFor();
    const asked = page.getByRole("region", { name: "What was asked" });
    await asked.getByRole("heading", { name: "Count" }).waitFor();
    await asked.getByRole("button", { name: "As plain text" }).click();
    await asked.getByText("Count to **three**.").waitFor();
    const settings = page.getByRole("region", { name: "What it runs with" });
    await settings.getByText("Nothing", { exact: true }).waitFor();
    const result = page.getByRole("region", { name: "What came of it" });
    const { artifact } = (await dashboard.orchestrator.job(job_id)).result ?? {};
    assert(artifact);
    await result.getByTitle(artifact.sha256).waitFor();
    const download = page.waitForEvent("download");
    await result.getByRole("link", { name: "Download ZIP" }).click();
    assert.match((await download).suggestedFilename(), /\.zip$/);
    await settings.getByRole("link", { name: /^team/ }).click();
    await page.waitForURL((url) => url.pathname === "/" && url.searchParams.get("label") === "team=figures");
    await page.close();
  });
});

describe("the changes of a job", () => {
  test("a job that kept a patch shows it file by file, with how to apply it", async () => {
    const { page, job_id } = await ended(
      {
        prompt: script(
          "echo hello > hello.txt; printf 'a\\u202eb\\n' > turned.txt; head -c 300 /dev/zero > blank.bin",
        ),
        patch: true,
      },
      "?tab=changes",
    );
    await page.getByRole("heading", { name: "3 files changed" }).waitFor();
    const hello = page.getByRole("region", { name: "hello.txt", exact: true });
    await hello.getByText("hello", { exact: true }).waitFor();
    await page.getByRole("region", { name: "turned.txt", exact: true }).getByText("‹U+202E›").waitFor();
    await page
      .getByRole("region", { name: "blank.bin", exact: true })
      .getByText("binary", { exact: true })
      .waitFor();
    await page.getByText(`sealwork apply ${job_id}`).waitFor();
    await hello
      .getByRole("button", { name: /hello\.txt/ })
      .first()
      .click();
    await hello.getByText("hello", { exact: true }).waitFor({ state: "detached" });
    await page.close();
  });

  test("of a patch of ten megabytes only what can be seen is there", async () => {
    const { page } = await ended(
      {
        prompt: script(
          "mkdir many; for i in $(seq 1 300); do seq $((i * 1000)) $((i * 1000 + 2000)) > many/$i.txt; done; seq 1 900000 > large.txt",
        ),
        patch: true,
      },
      "?tab=changes",
    );
    await page.getByRole("heading", { name: "301 files changed" }).waitFor();
    const large = page.getByRole("region", { name: "large.txt", exact: true });
    await large
      .getByRole("button", { name: /large\.txt/ })
      .first()
      .click();
    const lines = page.getByRole("region", { name: "What changed in large.txt" });
    await lines.getByText("1", { exact: true }).last().waitFor();
    await lines.focus();
    await page.keyboard.press("End");
    await lines.locator("code").getByText("900000", { exact: true }).waitFor();
    const rows = await page.locator("code").count();
    assert.ok(rows < 400, `${rows} lines exist`);
    await page.close();
  });

  test("a job without a patch shows what its steps wrote, while it works", async () => {
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({
      prompt: `\`\`\`text file=plan.md\nfirst\n\`\`\`\n\n${script("until [ -e go ]; do sleep 0.1; done")}\n\`\`\`text file=plan.md\nsecond\n\`\`\`\n`,
    });
    const page = await dashboard.open(`/job/${job_id}?tab=changes`);
    const plan = page.getByRole("region", { name: "plan.md", exact: true });
    await plan.getByText("first", { exact: true }).waitFor();
    const answer = await orchestrator.fetch(`/jobs/${job_id}/files/go`, { method: "PUT", body: "" });
    assert.equal(answer.status, 201);
    await plan.getByText("second", { exact: true }).waitFor();
    await plan.getByText("2 edits").waitFor();
    await orchestrator.ended(job_id);
    await page.close();
  });
});

describe("the metrics of a job", () => {
  test("curves come once there are samples, with a table beside them", async () => {
    const { page } = await ended({ prompt: script("sleep 7") }, "?tab=metrics");
    const memory = page.getByRole("region", { name: "Memory" });
    await memory.locator("canvas").waitFor();
    await memory.getByText(/limit 2 GiB/).waitFor();
    await page.getByText("The same as a table").click();
    assert.ok((await page.getByRole("table").getByRole("row").count()) >= 3);
    await page.close();
  });

  test("a job that was too short says so", async () => {
    const { page } = await ended({ prompt: script("true") }, "?tab=metrics");
    await page.getByRole("heading", { name: "Too short for curves" }).waitFor();
    await page.close();
  });
});
