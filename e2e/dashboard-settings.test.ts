import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { DoctorAnswer } from "../src/contract/api.ts";
import { TestDashboard } from "./dashboard.ts";
import { findingsInBothThemes } from "./dashboard-axe.ts";

const KEY = "very-secret-key-of-a-provider";

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start({
    environment: { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: "http://127.0.0.1:9/v1" },
    config: {
      providers: {
        ollama: { protocol: "openai", base_url: "http://127.0.0.1:11434/v1", default_model: "qwen" },
      },
      templates: {
        ruby: {
          image: "my/ruby",
          description: "Ruby, and nothing else",
          limits: { memory_bytes: 3 * 2 ** 30 },
          egress: { policy: "allow", hosts: ["rubygems.org"] },
        },
      },
    },
  });
});
after(() => dashboard[Symbol.asyncDispose]());

const row = (page: Page, text: string | RegExp) =>
  page.getByRole("main").getByRole("listitem").filter({ hasText: text });

/** What the API says to a program with a token, or to a browser with this cookie. */
async function asked(token: string): Promise<number> {
  const answer = await dashboard.orchestrator.fetch("/jobs", {
    headers: { authorization: `Bearer ${token}` },
  });
  return answer.status;
}

test("a token is made, shown once, used, and revoked after a question", async () => {
  const page = await dashboard.open("/settings/tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("Name").fill("nightly report");
  await page.getByLabel("Expires").click();
  await page.getByRole("option", { name: "In 30 days" }).click();
  await page.getByRole("button", { name: "Make it" }).click();
  const dialog = page.getByRole("dialog", { name: "nightly report is made" });
  const token = (await dialog.locator("pre").textContent()) ?? "";
  assert.equal(await asked(token), 200);
  await page.getByRole("button", { name: "Done" }).click();
  const made = row(page, "nightly report");
  await made.getByText("Expires in 30 d").waitFor();
  await page.reload();
  await made.getByText("Used just now").waitFor();
  assert(!(await page.content()).includes(token), "it was shown once");

  await made.getByRole("button", { name: "Revoke nightly report" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  assert.equal(await asked(token), 200);
  await made.getByRole("button", { name: "Revoke nightly report" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await made.waitFor({ state: "detached" });
  assert.equal(await asked(token), 401);
  await page.close();
});

test("a name that the server refuses is said so at its field, and stays to be mended", async () => {
  dashboard.expectProblems(/status of 422/);
  const page = await dashboard.open("/settings/tokens");
  await page.getByRole("button", { name: "New token" }).click();
  const name = page.getByLabel("Name");
  await name.fill(`turned ${String.fromCodePoint(0x202e)} round`);
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText("The name must be one line of plain text.").waitFor();
  assert.equal(await name.getAttribute("aria-invalid"), "true");
  assert.match(await name.inputValue(), /^turned . round$/);
  await name.fill("straight");
  await name.press("Enter");
  await page.getByRole("dialog", { name: "straight is made" }).waitFor();
  await page.close();
});

test("who signs this browser out is led to the sign-in, and by a token back to the page that was asked for", async () => {
  dashboard.expectProblems(/status of 401/);
  const page = await dashboard.open("/settings/tokens");
  const here = row(page, "this browser");
  await here.getByRole("button", { name: /^Sign out/ }).click();
  await page.getByText("you will be signed out at once").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in*");
  await page.goto(`${dashboard.origin}/settings/models`);
  await page.waitForURL(/\/sign-in\?to=/);

  const field = page.getByLabel("Or give a token");
  await field.fill("not a token");
  await field.press("Enter");
  await page.getByText("This is no token of this server").waitFor();
  await field.fill(dashboard.orchestrator.token);
  await field.press("Enter");
  await page.waitForURL("**/settings/models");
  await page.getByRole("heading", { name: "Models", exact: true }).waitFor();

  await page.getByRole("link", { name: "Tokens" }).click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.waitForURL("**/sign-in*");
  assert.equal(await page.evaluate(`fetch("/tokens").then(({ status }) => status)`), 401);
  await page.goto(`${dashboard.origin}/sign-in?to=%2F%09%2Fexample.org%2F`);
  await page.getByLabel("Or give a token").fill(dashboard.orchestrator.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "New job" }).waitFor();
  assert.equal(new URL(page.url()).origin, dashboard.origin, "an address of somebody else leads nowhere");
  await page.close();
});

test("a link that was used already says so on the page that it leads to", async () => {
  const page = await dashboard.open("/sign-in?failed=link");
  await page.getByRole("alert").getByText("older than 30 seconds").waitFor();
  await page.getByText("sealwork open").waitFor();
  await page.close();
});

test("templates show what their jobs may use and reach, and how to add one", async () => {
  const page = await dashboard.open("/settings/templates");
  await row(page, "base").getByText("default").waitFor();
  const ruby = row(page, "Ruby, and nothing else");
  assert.match(
    (await ruby.innerText()).replace(/\s+/g, " "),
    /my\/ruby .* 2 · 3 GiB .* Listed hosts only rubygems\.org/,
  );
  await page.getByText("RUN /opt/sealwork/setup").waitFor();
  await page.close();
});

test("models are listed without their keys; what is missing says how to configure it", async () => {
  const page = await dashboard.open("/settings/models");
  await page.getByText("Jobs that name no model work with ollama/qwen").waitFor();
  await row(page, "ollama").getByText("without a key").waitFor();
  await row(page, "OpenAI").getByText("has a key").waitFor();
  await row(page, "OpenAI").getByText("http://127.0.0.1:9/v1").waitFor();
  await row(page, "Anthropic").getByText("ANTHROPIC_API_KEY").waitFor();
  assert(!(await page.content()).includes(KEY));
  await page.close();
});

test("the engine's page says what doctor says, and says it again when asked", async () => {
  const page = await dashboard.open("/settings/engine");
  const { checks } = DoctorAnswer.parse(await (await dashboard.orchestrator.fetch("/doctor")).json());
  for (const { name, message } of checks) {
    if (name === "state folder") continue; // Its free space is another one by now.
    await row(page, message).getByText(name, { exact: true }).waitFor();
  }
  const again = page.getByRole("button", { name: "Check again" });
  await Promise.all([page.waitForResponse("**/doctor"), again.click()]);
  await page.getByText(/^Checked/).waitFor();
  await page.close();
});

test("no page of the settings has an accessibility finding, in dark and in light", async () => {
  for (const path of ["tokens", "templates", "models", "engine"]) {
    const page = await dashboard.open(`/settings/${path}`);
    await page.getByRole("main").getByRole("listitem").first().waitFor();
    assert.deepEqual(await findingsInBothThemes(page), [], path);
    await page.close();
  }
});
