import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Job } from "../src/contract/job.ts";
import { TestDashboard } from "./dashboard.ts";
import { findingsInBothThemes } from "./dashboard-axe.ts";
import { REPOSITORY, run } from "./harness.ts";

const SCRIPT = "Say what is in it, it's short:\n\n```sh\ncat data/words.txt | tee out.txt\n```\n";
const MiB = 1024 * 1024;

let dashboard: TestDashboard;
let folder = "";
before(async () => {
  dashboard = await TestDashboard.start();
  folder = await mkdtemp(join(tmpdir(), "sw-new-job-"));
  await mkdir(join(folder, "data/deep"), { recursive: true });
  await writeFile(join(folder, "data/words.txt"), "some words\n");
  await writeFile(join(folder, "data/deep/more's.txt"), "more words\n");
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
  await dashboard[Symbol.asyncDispose]();
});

const task = (page: Page) => page.getByRole("textbox", { name: "Task" });
const schedule = (page: Page) => page.getByRole("button", { name: "Schedule" });
const bounds = (page: Page) => page.getByRole("button", { name: "Limits, network, budget" });

/** Waits until that stands in the editor. */
const untilTyped = (page: Page, text: string) =>
  page.locator(".cm-content").filter({ hasText: text }).waitFor();

/** What stands in the editor once it is there. */
async function typed(page: Page): Promise<string> {
  return (await page.locator(".cm-content").textContent()) ?? "";
}

async function newJob(prompt = SCRIPT): Promise<Page> {
  const page = await dashboard.open("/new");
  await task(page).fill(prompt);
  return page;
}

async function scheduled(page: Page): Promise<Job> {
  await page.waitForURL(/\/job\/[0-9a-f-]{36}/);
  return dashboard.orchestrator.job(new URL(page.url()).pathname.slice("/job/".length));
}

test("a task with a folder of files is scheduled by keyboard, and its page comes", async () => {
  const page = await newJob();
  await page.getByLabel("A folder", { exact: true }).setInputFiles(join(folder, "data"));
  await page.getByText("2 files, 22 B").waitFor();
  await task(page).press("Control+Enter");
  const { job_id } = await scheduled(page);
  const job = await dashboard.orchestrator.ended(job_id);
  assert.deepEqual([job.status, job.prompt, job.agent], ["complete", SCRIPT, "script"]);
  const zip = await dashboard.orchestrator.zip(job_id);
  assert.equal(zip.get("out.txt")?.content.toString(), "some words\n");
  assert.equal(zip.get("data/deep/more's.txt")?.content.toString(), "more words\n");
  await page.close();
});

test("a ZIP becomes the workspace's content", async () => {
  await run("python3", ["-m", "zipfile", "-c", join(folder, "work.zip"), "data"], { cwd: folder });
  const page = await newJob();
  await page.getByLabel("Files", { exact: true }).setInputFiles(join(folder, "work.zip"));
  await page.getByRole("button", { name: "Unpack as the workspace" }).click();
  await page.getByText("becomes the workspace").waitFor();
  await schedule(page).click();
  const { job_id } = await scheduled(page);
  assert.equal((await dashboard.orchestrator.ended(job_id)).status, "complete");
  assert.equal((await dashboard.orchestrator.zip(job_id)).get("out.txt")?.content.toString(), "some words\n");
  await page.close();
});

test("files and folders that are dropped on the page keep their paths", async () => {
  const page = await newJob();
  await page.evaluate(`(() => {
    const file = (path, text) => ({ isFile: true, isDirectory: false, fullPath: path, file: (done) => done(new File([text], path.split("/").pop())) });
    const folder = (path, children) => ({ isFile: false, isDirectory: true, fullPath: path, createReader: () => {
      const parts = [children.slice(0, 1), children.slice(1), []];
      return { readEntries: (done) => done(parts.shift() ?? []) };
    } });
    const entries = [file("/top.txt", "1"), folder("/data", [file("/data/words.txt", "dropped words"), folder("/data/deep", [file("/data/deep/x.txt", "22")])])];
    const transfer = { types: ["Files"], items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })) };
    const place = document.querySelector("h1");
    for (const type of ["dragenter", "dragover", "drop"]) {
      const event = new Event(type, { bubbles: true, cancelable: true });
      Object.defineProperty(event, "dataTransfer", { value: transfer });
      place.dispatchEvent(event);
    }
  })()`);
  await page.getByText("3 files, 16 B").waitFor();
  await page.getByRole("button", { name: "Remove top.txt" }).click();
  await schedule(page).click();
  const { job_id } = await scheduled(page);
  await dashboard.orchestrator.ended(job_id);
  const zip = await dashboard.orchestrator.zip(job_id);
  assert.equal(zip.get("out.txt")?.content.toString(), "dropped words");
  assert.deepEqual([zip.has("data/deep/x.txt"), zip.has("top.txt")], [true, false]);
  await page.close();
});

/** What a job runs with, without what two jobs never have in common. */
function settled({ job_id, status, phase, timings, usage, links, result, reason, ...same }: Job): unknown {
  assert(job_id && status && phase && timings && usage && links && (result || !reason));
  return same;
}

test("the lines for command line and curl make the same job as the page, and hold no secret", async () => {
  const { orchestrator } = dashboard;
  await dashboard.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await newJob(
    'It\'s "quoted" $HOME `x` \\\n\n```sh\nprintf %s "$API_KEY" | grep -q "^s3.cret$" && ls\n```\n',
  );
  await page.getByLabel("Files", { exact: true }).setInputFiles(join(folder, "data/deep/more's.txt"));
  await bounds(page).click();
  await page.getByLabel("Memory").fill("512m");
  await page.getByLabel("Time", { exact: true }).fill("1m30s");
  await page.getByLabel("It may reach").click();
  await page.getByRole("option", { name: "Listed hosts only" }).click();
  await page.getByLabel("And these hosts").fill("example.org\n*.example.com");
  await page.getByRole("button", { name: "Add a variable" }).click();
  await page.getByLabel("Name of the variable").fill("API_KEY");
  await page.getByLabel("Value of the variable").fill("s3 cret");
  await page.getByRole("button", { name: "Add a label" }).click();
  await page.getByLabel("Name of the label").fill("team");
  await page.getByLabel("Value of the label").fill("it's us");
  await page.getByLabel("Priority").fill("-5");
  const lines: string[] = [];
  for (const way of ["Command line", "curl"]) {
    await page.getByRole("tab", { name: way }).click();
    await page.getByRole("button", { name: "Copy the command" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    lines.push(String(await page.evaluate("navigator.clipboard.readText()")));
    await page.getByRole("button", { name: "Copy the command" }).waitFor();
  }
  await schedule(page).click();
  const by_page = await scheduled(page);
  assert.deepEqual(by_page.egress, { policy: "allow", hosts: ["example.org", "*.example.com"] });
  assert.deepEqual([by_page.limits.memory_bytes, by_page.limits.timeout_s], [512 * MiB, 90]);

  const programs = join(folder, "bin");
  await mkdir(programs);
  await symlink(join(REPOSITORY, "sealwork"), join(programs, "sealwork"));
  const known = new Set((await orchestrator.jobs()).map(({ job_id }) => job_id));
  for (const line of lines) {
    assert.doesNotMatch(line, /s3 cret/);
    const { stdout } = await run("sh", ["-c", line], {
      cwd: join(folder, "data/deep"),
      env: {
        ...orchestrator.environment,
        HOME: process.env.HOME,
        PATH: `${programs}:${process.env.PATH}`,
        SEALWORK_TOKEN: orchestrator.token,
        SEALWORK_URL: orchestrator.url,
        API_KEY: "s3 cret",
      },
    });
    const made = (await orchestrator.jobs()).filter(({ job_id }) => !known.has(job_id));
    assert.equal(made.length, 1, stdout);
    for (const { job_id } of made) {
      known.add(job_id);
      const job = await orchestrator.ended(job_id);
      assert.deepEqual(settled(job), settled(by_page), line);
      assert.equal(job.status, "complete", "it got the variable of the shell");
      const { content } = (await orchestrator.zip(job_id)).get("more's.txt") ?? {};
      assert.equal(content?.toString(), "more words\n");
    }
  }
  assert.equal((await orchestrator.ended(by_page.job_id)).status, "complete");
  await page.close();
});

test("what the server refuses stands beside its field, and everything typed stays", async () => {
  dashboard.expectProblems(/status of 422/);
  const page = await newJob("```sh\ntrue\n```");
  await bounds(page).click();
  const fields = { CPUs: "400", Memory: "2x", Priority: "5000", "And these hosts": "10.0.0.1" };
  for (const [label, text] of Object.entries(fields)) await page.getByLabel(label).fill(text);
  await bounds(page).click();
  await schedule(page).click();
  // What cannot be read is said before anything is sent; the fold opens over it.
  await page.getByText("'2x' is not a size.").waitFor();
  await page.getByLabel("Memory").fill("256m");
  await page.keyboard.press("Control+Enter");
  const said = async (label: string) => {
    const field = page.getByLabel(label);
    assert.equal(await field.getAttribute("aria-invalid"), "true", label);
    return page.locator(`[id="${await field.getAttribute("aria-describedby")}"]`).textContent();
  };
  await page.getByText("addresses are not taken").waitFor();
  assert.match((await said("And these hosts")) ?? "", /addresses are not taken/);
  assert.match((await said("Priority")) ?? "", /1000/);
  await page.getByLabel("Priority").fill("5");
  await page.getByLabel("And these hosts").fill("");
  await schedule(page).click();
  await page.getByText(/This machine has \d+ cores/).waitFor();
  assert.match((await said("CPUs")) ?? "", /cores, not 400/);
  assert.equal(await page.getByLabel("Memory").inputValue(), "256m");
  await untilTyped(page, "true");
  await page.getByLabel("CPUs").fill("1");
  await schedule(page).click();
  const job = await scheduled(page);
  assert.deepEqual([job.limits.cpus, job.limits.memory_bytes, job.priority], [1, 256 * MiB, 5]);
  await page.close();
});

test("without a model the page says what would be refused before it is sent, and how to go on", async () => {
  dashboard.expectProblems(/status of 422/);
  const page = await newJob("Build me a todo app.");
  const notice = page.getByText("No model is configured, so plain words alone cannot be worked on.");
  await notice.waitFor();
  await schedule(page).click();
  await page.getByRole("alert").getByText("set GEMINI_API_KEY").waitFor();
  await page.getByRole("button", { name: "Insert a block" }).click();
  await notice.waitFor({ state: "detached" });
  await schedule(page).click();
  assert.match((await scheduled(page)).prompt, /^Build me a todo app\.\n\n```sh\n/);
  await page.close();
});

test("a draft outlives other pages and a reload; secrets are not written down, and lost files are named", async () => {
  const page = await newJob("A draft that stays.");
  await page.getByLabel("Files", { exact: true }).setInputFiles(join(folder, "data/words.txt"));
  await bounds(page).click();
  await page.getByLabel("Memory").fill("1g");
  await page.getByRole("button", { name: "Add a variable" }).click();
  await page.getByLabel("Name of the variable").fill("API_KEY");
  await page.getByLabel("Value of the variable").fill("s3cret");
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  await page.getByRole("link", { name: "New job" }).click();
  await bounds(page).click();
  assert.equal(await page.getByLabel("Value of the variable").inputValue(), "s3cret", "kept in memory");
  await page.getByText("1 file, 11 B").waitFor();
  await page.reload();
  await page.getByText("words.txt was chosen before the page was loaded anew").waitFor();
  await untilTyped(page, "A draft that stays.");
  await page.getByText("1g memory · 1 variable").waitFor();
  assert.doesNotMatch(
    String(await page.evaluate("JSON.stringify([{ ...sessionStorage }, { ...localStorage }])")),
    /s3cret/,
  );
  await page.getByRole("button", { name: "Start over" }).click();
  await page.getByRole("button", { name: "Bring it back" }).click();
  await untilTyped(page, "A draft that stays.");
  await page.close();
});

/** Types at the very moment at which the plain field is gone, before anything else can happen on the page. */
const TYPES_BETWEEN = `new MutationObserver((_, observer) => {
  if (document.querySelector("textarea[aria-label=Task]") !== null) return;
  observer.disconnect();
  document.execCommand("insertText", false, "it ");
}).observe(document, { subtree: true, childList: true })`;

test("nothing that is typed while the editor is still loaded gets lost", async () => {
  const page = await dashboard.context.newPage();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await page.route("**/assets/code-view-*.js", async (route) => {
    await released;
    await route.continue();
  });
  await page.goto(`${dashboard.origin}/new`);
  await page.locator("textarea[aria-label=Task]").pressSequentially("typed early");
  await page.keyboard.press("Home");
  await page.evaluate(TYPES_BETWEEN);
  release();
  await page.locator(".cm-content").waitFor();
  await page.keyboard.type("was ");
  await untilTyped(page, "typed early");
  assert.equal(await typed(page), "it was typed early", "cursor and focus went on where they were");
  await page.getByRole("tabpanel", { name: "Command line" }).getByText("it was typed early").waitFor();
  await page.close();
});

test("a job is cloned with all its settings; what the address changes in it is changed", async () => {
  const { orchestrator } = dashboard;
  const job_id = await orchestrator.schedule({
    prompt: SCRIPT,
    agent: "script",
    limits: { cpus: 1, timeout_s: 5400, memory_bytes: 300 * MiB },
    egress: { policy: "none" },
    budget: { max_tokens: 1000 },
    approval: { policy: "risky", timeout_s: 300 },
    linger_s: 1,
    labels: { team: "us" },
    priority: 3,
    patch: true,
  });
  const job = await orchestrator.job(job_id);
  const page = await dashboard.open(`/new?from=${job_id}&memory=1g`);
  await page.getByText("1 CPU · 1g memory").waitFor();
  await page.getByText("without its files and variables").waitFor();
  assert.equal(new URL(page.url()).search, "", "a reload does not copy it again");
  await schedule(page).click();
  const clone = await scheduled(page);
  assert.deepEqual(
    { ...(settled(clone) as object), limits: clone.limits },
    { ...(settled(job) as object), limits: { ...job.limits, memory_bytes: 1024 * MiB } },
  );
  await page.close();
});

test("a large upload shows how far it is and can be cancelled; the draft and its files stay", async () => {
  const large = join(folder, "large.bin");
  await writeFile(large, "");
  await truncate(large, 30 * MiB);
  const before = (await dashboard.orchestrator.jobs()).length;
  const page = await newJob("```sh\nstat -c %s large.bin\n```");
  const devtools = await dashboard.context.newCDPSession(page);
  const throttle = (uploadThroughput: number) =>
    devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput,
    });
  await devtools.send("Network.enable");
  await throttle(MiB);
  await page.getByLabel("Files", { exact: true }).setInputFiles(large);
  await schedule(page).click();
  await page.getByRole("progressbar", { name: "Upload" }).waitFor();
  await page.getByText(/Sending .* of 30\.0 MiB/).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("progressbar", { name: "Upload" }).waitFor({ state: "detached" });
  await page.getByText("1 file, 30 MiB").waitFor();
  assert.equal((await dashboard.orchestrator.jobs()).length, before, "no job came of it");
  await throttle(-1);
  await schedule(page).click();
  const { job_id } = await scheduled(page);
  assert.equal((await dashboard.orchestrator.ended(job_id)).status, "complete");
  assert.match(await dashboard.orchestrator.logs(job_id), new RegExp(`${30 * MiB}`));
  await page.close();
});

test("neither page nor open fold has an accessibility finding, in dark and in light", async () => {
  const page = await newJob();
  await bounds(page).click();
  await page.getByRole("button", { name: "Add a variable" }).click();
  await page.getByLabel("Files", { exact: true }).setInputFiles(join(folder, "data/words.txt"));
  assert.deepEqual(await findingsInBothThemes(page), []);
  await page.close();
});
