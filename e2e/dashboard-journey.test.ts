import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { finish, gemini, plan, shell } from "./agents.ts";
import { TestDashboard } from "./dashboard.ts";
import { cli, PATIENCE_MS, readZip } from "./harness.ts";
import { ModelServer } from "./models/server.ts";

/** What a page may complain of while its server is away. */
const AWAY = /net::ERR_|Failed to load resource/;

let models: ModelServer;
let dashboard: TestDashboard;
before(async () => {
  models = await ModelServer.start();
  dashboard = await TestDashboard.start({ environment: gemini(models), width: 1440, height: 900 });
  dashboard.context.setDefaultTimeout(PATIENCE_MS);
});
after(async () => {
  await dashboard[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

const status = (page: Page, word: string) => page.locator("header").getByText(word, { exact: true });
const tab = (page: Page, name: string) => page.getByRole("tab", { name, exact: true }).click();

async function downloaded(page: Page): Promise<Awaited<ReturnType<typeof readZip>>> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page
      .getByRole("link", { name: /^Download ZIP/ })
      .first()
      .click(),
  ]);
  return readZip(await readFile(await download.path()));
}

/** On the page for a new job: the task, and an agent that is not the usual one. */
async function describeJob(page: Page, task: string, agent?: string): Promise<void> {
  await page.getByRole("link", { name: "New job" }).first().click();
  await page.getByRole("textbox", { name: "Task" }).fill(task);
  if (agent === undefined) return;
  await page.getByRole("combobox", { name: "Agent" }).click();
  await page.getByRole("option", { name: agent }).click();
}

async function schedule(page: Page): Promise<string> {
  await page.getByRole("button", { name: /^Schedule/ }).click();
  await page.waitForURL(/\/job\//).catch(async (error: unknown) => {
    throw new Error(`no job came of this page:\n${await page.locator("body").ariaSnapshot()}`, {
      cause: error,
    });
  });
  return new URL(page.url()).pathname.split("/").at(-1) ?? "";
}

const fence = (code: string): string => `\`\`\`sh\n${code}\n\`\`\``;

const SERVES = `echo '<!doctype html><title>Inside</title><h1>Served from inside</h1>' > index.html
nohup python3 -m http.server 5173 --bind 127.0.0.1 > /tmp/server.log 2>&1 &`;
/** A window that fills the screen and prints each line that is typed into it. */
const SHOWS = `cat > window.sh <<'END'
stty -echo
echo opened >> said
while read -r line; do echo "typed $line" >> said; done
END
touch said
lxterminal --no-remote --title=window --command='sh window.sh' &
until grep -q opened said && wmctrl -r window -b add,fullscreen; do sleep 0.1; done
echo window is there
tail -f said`;

/** One person, one browser, through the pages only; each part goes on where the one before it left off. */
describe("with only a browser", { concurrency: 1 }, () => {
  let page: Page;

  test("the link of `sealwork open` leads to an example that runs, and to its ZIP", async () => {
    await dashboard.context.clearCookies();
    const { code, stdout } = await cli(["open", "--print"], { env: dashboard.orchestrator.environment });
    assert.equal(code, 0);
    page = await dashboard.context.newPage();
    await page.goto(stdout.trim());
    await page.getByRole("button", { name: /Make a report with a chart/ }).click();
    await page.getByRole("heading", { name: "Sales report" }).first().waitFor();
    await page.getByRole("feed").getByText("make_report.py").first().waitFor();
    await status(page, "Complete").waitFor();
    const zip = await downloaded(page);
    assert.match(zip.get("report/report.html")?.content.toString() ?? "", /<svg/);
  });

  test("a job of one's own, with a file that was dropped on it, asks before each step", async () => {
    await describeJob(
      page,
      `# Add it up\n\n${fence("paste -sd+ numbers.txt | tee sum")}\n\n${fence("echo no > denied")}`,
      "Script",
    );
    // A drop that a test makes up has no files behind it, so these are.
    await page.evaluate(`(() => {
      const file = { isFile: true, isDirectory: false, fullPath: "/numbers.txt", file: (done) => done(new File(["1\\n2\\n3\\n"], "numbers.txt")) };
      const dataTransfer = { types: ["Files"], items: [{ webkitGetAsEntry: () => file }] };
      for (const type of ["dragenter", "dragover", "drop"])
        document.querySelector("h1").dispatchEvent(Object.assign(new Event(type, { bubbles: true, cancelable: true }), { dataTransfer }));
    })()`);
    await page.getByText("numbers.txt").first().waitFor();
    await page.getByRole("button", { name: /^Limits, network, budget/ }).click();
    await page.getByRole("combobox", { name: "It asks you" }).click();
    await page.getByRole("option", { name: "Before each step" }).click();
    await schedule(page);
    const question = page.getByRole("region", { name: "A question of the job" });
    await question.getByText("numbers.txt").waitFor();
    await status(page, "Waits for you").waitFor();
    await question.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("feed").getByText("1+2+3").first().waitFor();
    await question.getByText("denied").waitFor();
    await question.getByRole("button", { name: "Deny" }).click();
    await status(page, "Failed").waitFor();
    const zip = await downloaded(page);
    assert.equal(zip.get("sum")?.content.toString(), "1+2+3\n");
    assert.ok(!zip.has("denied"));
  });

  test("a sentence goes to a model; what is said to it is heard, and cancelling ends it", async () => {
    const play = models.play(
      {
        turns: [
          plan(),
          { answer: { ...shell("echo red > colour"), hold: "said" } },
          { when: { user: "In blue, please." }, answer: shell("echo blue > colour; sleep 1000") },
          ...finish("It is blue."),
        ],
      },
      "gemini-2.5-flash",
    );
    await describeJob(page, "Choose a colour.");
    await page.getByLabel("Model").fill("google/gemini-2.5-flash");
    await schedule(page);
    await play.asked(2);
    await page.getByRole("textbox", { name: "Message to the agent" }).fill("In blue, please.");
    await page.keyboard.press("Enter");
    await page.getByRole("feed").getByText("In blue, please.").waitFor();
    play.release("said");
    await page.getByRole("feed").getByText("echo blue > colour; sleep 1000").waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Yes, cancel the job" }).click();
    await status(page, "Cancelled").waitFor();
    assert.equal((await downloaded(page)).get("colour")?.content.toString(), "blue\n");
  });

  test("a desktop is taken over, and Jupyter, a terminal, files and a port of the same job are used", async () => {
    dashboard.expectProblems(/jupyter-\w+\.localhost|503 .*\/jupyter\/open/);
    await describeJob(page, `# Serve it and show it\n\n${fence(SERVES)}\n\n${fence(SHOWS)}`, "Script");
    await page.getByRole("combobox", { name: "Template" }).click();
    await page.getByRole("option", { name: "desktop" }).click();
    await schedule(page);
    await page.getByRole("feed").getByText("window is there").waitFor();

    await tab(page, "Desktop");
    const bar = page.getByRole("region", { name: "Desktop of the job" });
    await bar.getByRole("button", { name: "Take control" }).click();
    await bar.getByText("You drive").waitFor();
    await bar.locator("canvas").click();
    await page.keyboard.type("by hand\n");
    await page.getByRole("feed").getByText("typed by hand").waitFor();

    await tab(page, "Terminal");
    await page.locator(".xterm-rows").getByText("$").first().waitFor();
    await page.locator(".xterm-helper-textarea").focus();
    await page.keyboard.type("echo $((6 * 7)) > answer.txt; echo its-answer-is-$(cat answer.txt)\n");
    await page.locator(".xterm-rows").getByText("its-answer-is-42").first().waitFor();

    await tab(page, "Files");
    await page.getByRole("treeitem", { name: "answer.txt" }).click();
    await page.getByRole("tabpanel").getByText("42", { exact: true }).waitFor();

    await tab(page, "Ports");
    await page.frameLocator("iframe[title='What port 5173 shows']").getByText("Served from inside").waitFor();

    await tab(page, "Jupyter");
    const lab = page.frameLocator("iframe[title='Jupyter Lab of the job']");
    await lab.locator(".jp-LauncherCard[title^='Python 3']").first().click();
    // A cell that is run before its kernel is there stays as it is.
    await lab.getByText("(ipykernel) | Idle").first().waitFor();
    await lab.locator(".jp-Notebook .jp-CodeCell .cm-content").first().click();
    await page.keyboard.type("print(open('answer.txt').read().strip(), 'in Jupyter')");
    await page.keyboard.press("Shift+Enter");
    await lab.locator(".jp-OutputArea-output").getByText("42 in Jupyter").waitFor();

    await tab(page, "Changes");
    await page.getByRole("tabpanel").getByText("index.html").first().waitFor();
    await tab(page, "Metrics");
    await page.getByRole("tabpanel").getByRole("region", { name: "Memory" }).waitFor();
  });

  test("a server that goes away is said to be away, and all goes on when it is back", async () => {
    dashboard.expectProblems(AWAY);
    await tab(page, "Overview");
    await dashboard.orchestrator.stop("SIGKILL");
    await page.getByText("The server cannot be reached").waitFor();
    await status(page, "Was working").waitFor();
    await dashboard.orchestrator.restart({ same_port: true });
    await page.getByText("The server cannot be reached").waitFor({ state: "hidden" });
    await status(page, "Working").waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Yes, cancel the job" }).click();
    await page.getByRole("region", { name: "Replay" }).waitFor();
  });

  test("the same job is replayed, and a link leads another tab to the same moment", async () => {
    const moment = page.getByRole("slider", { name: "Moment" });
    await moment.focus();
    await page.keyboard.press("Home");
    await page.waitForURL(/[?&]at=/);
    await page.getByRole("button", { name: "Next step" }).click();
    await page.getByRole("button", { name: "Next step" }).click();
    const at = await moment.getAttribute("aria-valuenow");
    await page.waitForURL(new RegExp(`[?&]at=${at}\\b`));
    const other = await dashboard.context.newPage();
    await other.goto(page.url());
    await other.locator(`[role=slider][aria-valuenow="${at}"]`).waitFor();
    assert.ok(Number(at) > 0);
    await other.close();
    await page.getByRole("button", { name: "Now", exact: true }).click();
    await page.waitForURL((url) => !url.searchParams.has("at"));
  });

  test("a token is made, lets a program in, and no longer once it is revoked", async () => {
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("nightly");
    await page.getByRole("button", { name: "Make it" }).click();
    const token = (
      await page.getByRole("region", { name: "The token" }).locator("pre, code").first().innerText()
    ).trim();
    const asked = async () =>
      (await dashboard.orchestrator.fetch("/jobs", { headers: { authorization: `Bearer ${token}` } })).status;
    assert.equal(await asked(), 200);
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Revoke nightly" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("nightly is revoked.").first().waitFor();
    assert.equal(await asked(), 401);
  });
});
