import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { TestDashboard } from "./dashboard.ts";
import { readZip, script } from "./harness.ts";

/** What a sandbox may leave to do harm where it is looked at. */
const HOSTILE = {
  "page.html": `<!doctype html><script>parent.document.title = "stolen"</script><img src=x onerror="document.title='stolen'">`,
  "picture.svg": `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" onload="parent.document.title='stolen'"><script>parent.document.title = "stolen"</script><image href="https://example.org/seen.png"/></svg>`,
  "notes.md": `# Notes\n\n<script>document.title = "stolen"</script>\n\n[bad](javascript:document.title='stolen') [data](data:text/html,x) [good](https://example.org/)\n\n![seen](https://example.org/seen.png)\n`,
  "table.csv": `name,value\n"<img src=x onerror=document.title='stolen'>",1\n`,
  "book.ipynb": JSON.stringify({
    cells: [
      {
        cell_type: "code",
        source: "1",
        outputs: [
          { output_type: "display_data", data: { "text/html": "<script>document.title='stolen'</script>" } },
          { output_type: "stream", name: "stdout", text: "plain output" },
        ],
      },
    ],
  }),
  "<img src=x onerror=document.title='stolen'>": "a name with markup",
  "invoice\u202efdp.exe": "a name that reads otherwise than it is",
  "100% #?.txt": "a name with marks of addresses",
} satisfies Record<string, string>;

const SETUP = `
mkdir -p report/deep many
for i in $(seq 1 3000); do : > many/file-$i.txt; done
printf 'first\\nsecond\\n' > report/notes.txt
echo 'found me' > report/deep/needle.txt
head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 99 > large.log
head -c 300 /dev/urandom > bytes.bin; printf '\\0' >> bytes.bin
echo ready
while [ ! -e again ]; do sleep 0.1; done
`;
const CHANGE = `
echo 'by the agent' > report/notes.txt
echo new > report/fresh.txt
sleep 1000
`;

let dashboard: TestDashboard;
let job_id: string;
before(async () => {
  dashboard = await TestDashboard.start({ width: 1440, height: 900 });
  job_id = await dashboard.orchestrator.schedule({ prompt: script(SETUP, "true", CHANGE) });
  await dashboard.orchestrator.untilPrinted(job_id, "ready");
  for (const [name, content] of Object.entries(HOSTILE)) await put(`hostile/${name}`, content);
});
after(() => dashboard[Symbol.asyncDispose]());

async function put(path: string, content: string): Promise<void> {
  const address = path.split("/").map(encodeURIComponent).join("/");
  const answer = await dashboard.orchestrator.fetch(`/jobs/${job_id}/files/${address}`, {
    method: "PUT",
    body: content,
  });
  assert.ok(answer.ok, await answer.text());
}

async function content(path: string): Promise<string> {
  return (await dashboard.orchestrator.fetch(`/jobs/${job_id}/files/${path}`)).text();
}

async function open(): Promise<Page> {
  const page = await dashboard.open(`/job/${job_id}?tab=files`);
  await item(page, "report").waitFor();
  return page;
}

function item(page: Page, name: string): Locator {
  return page.getByRole("treeitem", { name, exact: false }).filter({ hasText: name }).first();
}

async function look(page: Page, ...path: string[]): Promise<Locator> {
  for (const name of path) await item(page, name).click();
  const viewer = page.getByRole("region", { name: path.at(-1) ?? "", exact: true });
  await viewer.waitFor();
  return viewer;
}

test("a file is opened, edited and saved into the sandbox", async () => {
  const page = await open();
  const viewer = await look(page, "report", "notes.txt");
  await viewer.getByText("second").waitFor();
  await viewer.getByRole("button", { name: "Edit" }).click();
  const text = viewer.getByRole("textbox", { name: "Content of notes.txt" });
  await text.fill("written in the browser\n");
  // What is typed is kept while somebody looks at something else.
  await page.getByRole("tab", { name: "Ports" }).click();
  await page.getByRole("heading", { name: "Nothing listens yet" }).waitFor();
  await page.getByRole("tab", { name: "Files" }).click();
  await look(page, "report", "notes.txt");
  await viewer.getByText("written in the browser").waitFor();
  await viewer.getByRole("button", { name: "Save" }).click();
  await viewer.getByRole("button", { name: "Edit" }).waitFor();
  assert.equal((await content("report/notes.txt")).trim(), "written in the browser");
  await page.close();
});

test("saving over what has changed meanwhile is asked about", async () => {
  const page = await open();
  await put("conflict.txt", "as it was\n");
  await page.getByRole("button", { name: "Read the folders again" }).click();
  const viewer = await look(page, "conflict.txt");
  await viewer.getByText("as it was").waitFor();
  // Once the server has said how the file stands, whatever is put there afterwards is a change.
  await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === `/jobs/${job_id}/files`),
    viewer.getByRole("button", { name: "Edit" }).click(),
  ]);
  await viewer.getByRole("textbox", { name: "Content of conflict.txt" }).fill("mine");
  await put("conflict.txt", "theirs, and longer\n");
  await viewer.getByRole("button", { name: "Save" }).click();
  const question = page.getByRole("dialog", { name: "The file has changed meanwhile" });
  await question.waitFor();
  assert.equal(await content("conflict.txt"), "theirs, and longer\n");
  await question.getByRole("button", { name: "Replace it with mine" }).click();
  await viewer.getByRole("button", { name: "Edit" }).waitFor();
  assert.equal(await content("conflict.txt"), "mine");
  await page.close();
});

test("files are uploaded, renamed, deleted and found by name", async () => {
  const page = await open();
  await page.locator("input[type=file]").setInputFiles([
    { name: "one.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2\n") },
    { name: "two.txt", mimeType: "text/plain", buffer: Buffer.from("two") },
  ]);
  await page.getByText("Uploaded 2 files", { exact: true }).waitFor();
  const table = await look(page, "one.csv");
  await table.getByRole("columnheader", { name: "b", exact: true }).waitFor();
  assert.equal(await content("two.txt"), "two");

  const tree = page.getByRole("tree", { name: "Files" });
  await item(page, "two.txt").click();
  await tree.focus();
  await page.keyboard.press("F2");
  const rename = page.getByRole("dialog", { name: "Rename or move" });
  await rename.getByRole("textbox").fill("moved/here.txt");
  await page.keyboard.press("Enter");
  await item(page, "moved").waitFor();
  assert.equal(await content("moved/here.txt"), "two");

  await item(page, "one.csv").click();
  await tree.focus();
  await page.keyboard.press("Delete");
  const sure = page.getByRole("dialog", { name: "Delete this file?" });
  await sure.getByRole("button", { name: "Delete" }).click();
  await sure.waitFor({ state: "hidden" });
  await item(page, "one.csv").waitFor({ state: "detached" });
  const gone = await dashboard.orchestrator.fetch(`/jobs/${job_id}/files/one.csv`);
  assert.equal(gone.status, 404);

  await page.getByRole("searchbox", { name: "Find files by name" }).fill("NEEDLE");
  await page.getByRole("button", { name: /needle\.txt/ }).click();
  await page.getByRole("region", { name: "needle.txt" }).getByText("found me").waitFor();
  await page.close();
});

test("a large folder and a large file are shown a part at a time", async () => {
  const page = await open();
  await item(page, "many").click();
  await item(page, "file-1.txt").waitFor();
  assert.ok((await page.getByRole("treeitem").count()) < 120, "only what is in view is on the page");
  await page.getByRole("tree").focus();
  await page.keyboard.press("End");
  await page.getByRole("treeitem", { selected: false }).last().waitFor();
  const viewer = await look(page, "large.log");
  await viewer.getByText("The first 1 MiB of 2.9 MiB").waitFor();
  await viewer.getByRole("button", { name: "Load more" }).click();
  await viewer.getByText("The first 2 MiB of 2.9 MiB").waitFor();
  assert.equal(await viewer.getByRole("button", { name: "Edit" }).count(), 0);
  const bytes = await look(page, "bytes.bin");
  await bytes.getByText("This is no text").waitFor();
  await page.close();
});

test("hostile names and contents do nothing but to be read", async () => {
  const page = await open();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  const title = await page.title();
  await item(page, "hostile").click();

  const html = await look(page, "page.html");
  await html.getByText("<script>").first().waitFor();
  const picture = await look(page, "picture.svg");
  await picture.getByRole("img", { name: "picture.svg" }).waitFor();
  const notes = await look(page, "notes.md");
  await notes.getByRole("heading", { name: "Notes" }).waitFor();
  const links = await notes.locator("a[href^='https:'], a[href^='javascript:'], a[href^='data:']").all();
  assert.deepEqual(await Promise.all(links.map((link) => link.getAttribute("href"))), [
    "https://example.org/",
  ]);
  const table = await look(page, "table.csv");
  await table.getByRole("cell", { name: /^<img src=x/ }).waitFor();
  const book = await look(page, "book.ipynb");
  await book.getByText("plain output").waitFor();
  assert.equal(await book.locator("iframe, script").count(), 0);
  await item(page, "<img src=x").click();
  await page.getByText("a name with markup").waitFor();
  // Whatever turns round is shown by its number, and the name keeps its order.
  await item(page, "invoice‹U+202E›fdp.exe").click();
  await page.getByText("a name that reads otherwise").waitFor();
  await item(page, "100% #?.txt").click();
  await page.getByText("a name with marks of addresses").waitFor();

  assert.equal(await page.title(), title);
  assert.deepEqual(
    asked.filter((url) => !url.startsWith(dashboard.origin) && !/^(blob|data):/.test(url)),
    [],
    "nothing was loaded from elsewhere",
  );
  await page.close();
});

test("what the agent changes is marked, and shown on demand", async () => {
  const page = await open();
  const viewer = await look(page, "report", "notes.txt");
  await viewer.getByText("written in the browser").waitFor();
  await put("again", "");
  await viewer.getByText("The agent has changed this file.").waitFor();
  await viewer.getByRole("button", { name: "Show it as it is now" }).click();
  await viewer.getByText("by the agent").waitFor();
  await item(page, "fresh.txt").getByText("new", { exact: true }).waitFor();
  await page.close();
});

test("a file is downloaded as it is, a folder as a ZIP; after the end both come from the job's own", async () => {
  const page = await open();
  const viewer = await look(page, "report", "notes.txt");
  assert.equal(
    (await saved(page, viewer.getByRole("link", { name: "Download" }))).toString(),
    "by the agent\n",
  );
  await page.getByRole("treeitem", { name: "report" }).first().hover();
  await page.getByRole("button", { name: "More for report" }).click();
  const zip = await readZip(await saved(page, page.getByRole("menuitem", { name: "Download as a ZIP" })));
  assert.ok(
    [...zip.keys()].some((name) => name.endsWith("deep/needle.txt")),
    [...zip.keys()].join(),
  );

  await dashboard.orchestrator.cancel(job_id);
  await dashboard.orchestrator.ended(job_id);
  await page.getByText("What the job left").waitFor();
  const left = await look(page, "report", "notes.txt");
  await left.getByText("by the agent").waitFor();
  assert.equal(await page.getByRole("button", { name: "Edit" }).count(), 0);
  assert.equal(await page.getByRole("button", { name: "New folder" }).count(), 0);
  assert.equal(
    (await saved(page, left.getByRole("link", { name: "Download" }))).toString(),
    "by the agent\n",
  );
  await page.close();
});

async function saved(page: Page, link: Locator): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  return readFile(await download.path());
}
