import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { seedBigJob } from "./big-job.ts";
import { TestDashboard } from "./dashboard.ts";

const BIG = { events: 100_000, output_bytes: 20_000_000 };
/** Writes a file, waits, writes it anew, fails: with an idle part of 5 s. Its first step is over a while before the next begins. */
const SCRIPT = [
  "```sh\necho one > a.txt; echo the first has spoken; sleep 1\n```",
  "```text file=notes.md\nold line\n```",
  "```sh\necho before the wait; sleep 5; echo after the wait\n```",
  "```text file=notes.md\nnew line\n```",
  "```sh\necho it breaks >&2; exit 7\n```",
].join("\n\n");

let dashboard: TestDashboard;
let short: string;
let big: string;
before(async () => {
  dashboard = await TestDashboard.start();
  const { orchestrator } = dashboard;
  await orchestrator.stop();
  big = await seedBigJob(orchestrator.data, BIG);
  await orchestrator.restart();
  short = await orchestrator.schedule({ prompt: SCRIPT });
  await orchestrator.ended(short);
  await dashboard.context.grantPermissions(["clipboard-read", "clipboard-write"]);
});
after(() => dashboard[Symbol.asyncDispose]());

const bar = (page: Page): Locator => page.getByRole("region", { name: "Replay" });
const slider = (page: Page): Locator => bar(page).getByRole("slider", { name: "Moment" });
const place = async (page: Page): Promise<number> => Number(await slider(page).getAttribute("aria-valuenow"));

/** Waits until the moment is that one, or another one. */
async function untilAt(page: Page, moment: number, other = false): Promise<void> {
  const there = `[aria-valuenow="${moment}"]`;
  await bar(page)
    .locator(`[role=slider]${other ? `:not(${there})` : there}`)
    .waitFor();
}

async function untilEnd(page: Page): Promise<void> {
  await untilAt(page, Number(await slider(page).getAttribute("aria-valuemax")));
}

describe("the replay of a job", () => {
  test("one scrubber moves output, files and changes together, by keyboard", async () => {
    const page = await dashboard.open(`/job/${short}`);
    await page.getByRole("heading", { name: "How it went" }).waitFor();
    await slider(page).focus();
    await page.keyboard.press("Home");
    await page.getByText("The job was waiting for a free place.").waitFor();
    assert.equal(
      await page.getByText("the first has spoken", { exact: true }).count(),
      0,
      "the timeline has nothing of it yet",
    );

    // From step to step: the file of step 2 is there at step 3, and not as step 4 leaves it.
    await page.keyboard.press("Shift+ArrowRight");
    await page.getByRole("heading", { name: /^Step 1 of 5/ }).waitFor();
    await page.keyboard.press("Shift+ArrowRight");
    const next = page.getByRole("heading", { name: /^Step [23] of 5/ });
    // Steps that began in the same millisecond are one moment.
    if (/^Step 2/.test((await next.textContent()) ?? "")) await page.keyboard.press("Shift+ArrowRight");
    await page.getByRole("heading", { name: /^Step 3 of 5/ }).waitFor();
    const files = page.getByRole("region", { name: /^Files, after/ });
    await files.getByRole("region", { name: "What changed in notes.md" }).getByText("old line").waitFor();
    assert.equal(await files.getByText("new line").count(), 0);
    await page.keyboard.press("ArrowRight");
    const output = page.getByRole("region", { name: "Output of step 3 at that moment" });
    await output.getByText("before the wait").waitFor();
    assert.equal(await output.getByText("after the wait").count(), 0);
    await page.keyboard.press("PageUp");
    await files.getByRole("region", { name: "What changed in notes.md" }).getByText("old line").waitFor();

    await page.getByRole("tab", { name: "Changes" }).click();
    const before = page.getByRole("region", { name: "notes.md" });
    await before.getByText("old line").first().waitFor();
    await slider(page).focus();
    await page.keyboard.press("End");
    await before.getByText("new line").first().waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Replay the job" }).waitFor();
    await page.waitForURL((url) => !url.searchParams.has("at"));
    await page.close();
  });

  test("a link leads to a moment, and the moment is in the address", async () => {
    const page = await dashboard.open(`/job/${short}?at=1200`);
    await page
      .getByRole("button", { name: "Back to the job as it is now" })
      .or(page.getByRole("button", { name: "Now" }))
      .waitFor();
    assert.equal(await place(page), 1_200);
    await page.keyboard.press("ArrowRight");
    await untilAt(page, 1_200, true);
    const moved = await place(page);
    await page.waitForURL((url) => url.searchParams.get("at") === String(moved));
    await bar(page).getByRole("button", { name: "Copy a link to this moment" }).click();
    await page.getByText("The link to this moment is in the clipboard", { exact: true }).waitFor();
    const link = await page.evaluate<string>("navigator.clipboard.readText()");
    const other = await dashboard.context.newPage();
    await other.goto(link);
    await slider(other).waitFor();
    await untilAt(other, moved);
    await other.close();
    await page.close();
  });

  test("played at 16x it comes to its end, and stops there", async () => {
    const page = await dashboard.open(`/job/${short}`);
    await slider(page).waitFor();
    await bar(page).getByRole("button", { name: "Speed: 1 times" }).click();
    await page.getByRole("menuitemradio", { name: "16×" }).click();
    await bar(page).getByRole("button", { name: "Replay the job" }).click();
    await bar(page).getByRole("button", { name: "Now" }).waitFor();
    await untilEnd(page);
    await bar(page).getByRole("button", { name: "Play", exact: true }).waitFor();
    await page.close();
  });

  test("a job of a hundred thousand events is moved through, screens and cost with it", async () => {
    const page = await dashboard.open(`/job/${big}?at=600000`);
    const screen = page.getByRole("img", { name: "The screen at that moment" });
    await screen.waitFor();
    const cost = page.getByText("Cost", { exact: true }).last().locator("xpath=following-sibling::dd");
    const early = await cost.textContent();
    await slider(page).focus();
    await page.keyboard.press("End");
    await untilEnd(page);
    assert(early !== null);
    await cost.filter({ hasNotText: early }).waitFor();
    await page.keyboard.press("Home");
    await page.getByText("The screen had not been captured yet.").waitFor();
    await page.close();
  });

  test("while a job works there is nothing to replay", async () => {
    const { orchestrator } = dashboard;
    const job_id = await orchestrator.schedule({ prompt: "```sh\necho at work; sleep 600\n```" });
    await orchestrator.untilPrinted(job_id, "at work");
    const page = await dashboard.open(`/job/${job_id}?at=1`);
    await page.getByRole("heading", { name: "How it goes" }).waitFor();
    assert.equal(await bar(page).count(), 0);
    await orchestrator.cancel(job_id);
    await bar(page).waitFor();
    await page.close();
  });
});
