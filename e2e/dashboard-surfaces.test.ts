import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FrameLocator, Locator, Page } from "playwright-core";
import { TestDashboard } from "./dashboard.ts";
import { script } from "./harness.ts";

/** A window that fills the screen and prints each line that is typed into it. */
const WINDOW = `
cat > window.sh <<'END'
stty -echo
echo opened >> said
while read -r line; do echo "typed $line" >> said; done
END
touch said
lxterminal --no-remote --title=window --command='sh window.sh' &
until grep -q opened said && wmctrl -r window -b add,fullscreen; do sleep 0.1; done
echo window is there
tail -f said
`;

/** A page that wants to lead away the window that shows it, as soon as it is there and with each click. */
const HOSTILE = `
cat > server.js <<'END'
const page = \`<!doctype html><title>hostile</title><button>Click me</button><p id="path"></p><script>
  document.querySelector("#path").textContent = "at " + location.pathname;
  const away = () => { try { top.location.href = "https://example.org/away"; } catch (error) { document.title = "refused"; } };
  const look = () => { try { return String(parent.document.cookie); } catch { return "refused"; } };
  document.querySelector("button").onclick = () => {
    away();
    const link = Object.assign(document.createElement("a"), { href: "https://example.org/away", target: "_top" });
    document.body.append(link);
    link.click();
    const popup = window.open("https://example.org/popup");
    document.querySelector("button").textContent = look() + " " + (popup === null ? "no window" : "window") + " " + document.cookie;
  };
  if (top !== self) away();
</script>\`;
require("http").createServer((request, response) => response.writeHead(200, { "content-type": "text/html" }).end(page)).listen(5173, "127.0.0.1", () => console.log("listens"));
END
nohup node server.js > server.log 2>&1 &
`;

let dashboard: TestDashboard;
/** One job with a desktop for all; it works until the last test ends it. */
let job_id: string;
before(async () => {
  dashboard = await TestDashboard.start({ width: 1440, height: 900 });
  job_id = await dashboard.orchestrator.schedule({ prompt: script(HOSTILE, WINDOW), template: "desktop" });
  await dashboard.orchestrator.untilPrinted(job_id, "window is there");
});
after(() => dashboard[Symbol.asyncDispose]());

function open(tab: string, id = job_id): Promise<Page> {
  return dashboard.open(`/job/${id}?tab=${tab}`);
}

test("a surface is loaded when it is first looked at", async () => {
  const page = await dashboard.context.newPage();
  const files: string[] = [];
  page.on("request", (request) => files.push(new URL(request.url()).pathname));
  await page.goto(`${dashboard.origin}/job/${job_id}`);
  await page.getByRole("tab", { name: "Overview", selected: true }).waitFor();
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByRole("treeitem", { name: "said" }).waitFor();
  const loaded = (name: string) => files.some((file) => file.startsWith(`/assets/${name}`));
  assert.deepEqual(["files-tab", "desktop-tab", "terminal-tab", "jupyter-tab", "ports-tab"].map(loaded), [
    true,
    false,
    false,
    false,
    false,
  ]);
  await page.close();
});

test("the desktop takes what is typed from one who took control, and from nobody else", async () => {
  const page = await open("desktop");
  const bar = page.getByRole("region", { name: "Desktop of the job" });
  await bar.getByText("The agent drives").waitFor();
  const screen = bar.locator("canvas");
  await screen.click();
  await bar.getByText("You are watching. Take control to click and type.").waitFor();
  await page.keyboard.type("without\n");
  await bar.getByRole("button", { name: "Take control" }).click();
  await bar.getByText("You drive").waitFor();
  await screen.click();
  // Among the letters are shortcuts of the page.
  await page.keyboard.type("cg j with\n");
  await dashboard.orchestrator.untilPrinted(job_id, "typed cg j with\n");
  assert.doesNotMatch(await dashboard.orchestrator.logs(job_id), /without/);
  assert.ok(page.url().includes(`/job/${job_id}`), "the page stayed where it was");
  await bar.getByRole("button", { name: "Keys to press" }).click();
  await page.getByRole("menuitem", { name: "Enter" }).click();
  await dashboard.orchestrator.untilPrinted(job_id, "typed \n");
  await bar.getByRole("button", { name: "Give back" }).click();
  await bar.getByText("The agent drives").waitFor();
  await page.close();
});

test("of two tabs one drives; the other takes over after a question, and both say who it is", async () => {
  const [anna, ben] = await Promise.all([open("desktop"), open("desktop")]);
  await anna.getByRole("button", { name: "Take control" }).click();
  await anna.getByText("You drive").waitFor();
  await ben.getByText("Dashboard drives").first().waitFor();
  await ben.getByRole("button", { name: "Take over" }).click();
  const question = ben.getByRole("dialog", { name: "Take over the desktop?" });
  await question.getByText("drives at the moment").waitFor();
  await question.getByRole("button", { name: "Only watch" }).click();
  await anna.getByText("You drive").waitFor();
  await ben.getByRole("button", { name: "Take over" }).click();
  await question.getByRole("button", { name: "Take over" }).click();
  await ben.getByText("You drive").waitFor();
  await anna.getByText("Dashboard took control.").waitFor();
  await anna.getByRole("button", { name: /^Who watches/ }).click();
  const people = anna.getByRole("dialog", { name: "At this desktop" });
  await people.getByText("drives").waitFor();
  await people.getByText("(you)").waitFor();
  // What closes a tab gives the desktop back.
  await Promise.all([anna.close(), ben.close()]);
  await dashboard.orchestrator.until(
    job_id,
    (event) => event.type === "control.changed" && event.data.cause === "left",
  );
});

test("the clipboard passes both ways, and can be shut", async () => {
  const page = await open("desktop");
  await page.getByRole("button", { name: "Take control" }).click();
  await page.getByText("You drive").waitFor();
  await page.getByRole("button", { name: "Clipboard" }).click();
  const panel = page.getByRole("dialog", { name: "Clipboard of the desktop" });
  await panel.getByRole("textbox").fill("from the page");
  await panel.getByRole("button", { name: "Send to the desktop" }).click();
  await panel.getByText("Sent. Paste it on the desktop").waitFor();
  await panel.getByRole("switch").click();
  await panel.getByText("The clipboard is switched off.").waitFor();
  await panel.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Give back" }).click();
  await page.close();
});

test("a terminal takes what is typed, and is there again after a reload", async () => {
  const page = await open("terminal");
  const rows = page.locator(".xterm-rows");
  await rows.getByText("workspace").first().waitFor();
  await page.keyboard.type("echo $((6*7))-first\n");
  await rows.getByText("42-first", { exact: true }).waitFor();
  await page.reload();
  await rows.getByText("42-first", { exact: true }).waitFor();
  await page.keyboard.type("echo $((6*7))-again\n");
  await rows.getByText("42-again", { exact: true }).waitFor();
  await page.keyboard.press("Control+Shift+ArrowUp");
  await page.locator("[role=tab][aria-selected=true]:focus", { hasText: "Shell 1" }).waitFor();

  await page.getByRole("button", { name: "New terminal" }).click();
  await page.getByRole("tab", { name: "Shell 2", selected: true }).waitFor();
  const second = page.getByRole("region", { name: "Shell 2" });
  await second.locator(".xterm-rows").getByText("workspace").first().waitFor();
  await page.keyboard.type("exit 3\n");
  await second.getByText("It has ended with exit code 3.").waitFor();
  await page.getByRole("button", { name: "End shell 2" }).click();
  await page.getByRole("tab", { name: "Shell 1", selected: true }).waitFor();
  const [ended] = await Promise.all([
    page.waitForResponse((answer) => answer.request().method() === "DELETE"),
    page.getByRole("button", { name: "End shell 1" }).click(),
  ]);
  assert.equal(ended.status(), 200);
  await page.getByText("No terminal is open").waitFor();
  const answer = await dashboard.orchestrator.fetch(`/jobs/${job_id}/terminals`);
  assert.deepEqual(await answer.json(), { terminals: [] });
  await page.close();
});

test("what a program sends to a terminal changes nothing around it, and its links are asked about", async () => {
  await dashboard.context.grantPermissions(["clipboard-read", "clipboard-write"], {
    origin: dashboard.origin,
  });
  const page = await open("terminal");
  const rows = page.locator(".xterm-rows");
  await rows.getByText("workspace").first().waitFor();
  await page.evaluate("navigator.clipboard.writeText('mine')");
  const title = await page.title();
  const size = () => rows.locator("> div").count();
  const rows_before = await size();
  // A title, a clipboard, a size, a link that is a script, and one that is none.
  await page.keyboard.type(
    String.raw`printf '\033]0;stolen\007\033]52;c;c3RvbGVu\007\033[8;5;20t\033]8;;javascript:alert(1)\033\\bad link\033]8;;\033\\ \033]8;;https://example.org/x?y=1\033\\good link\033]8;;\033\\\n'`,
  );
  await page.keyboard.press("Enter");
  const bad = rows.locator("span", { hasText: /^bad\slink$/ });
  await bad.waitFor();
  assert.equal(await page.title(), title);
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "mine");
  assert.equal(await size(), rows_before);
  const pages = dashboard.context.pages().length;
  const [bad_place, good_place] = await Promise.all([
    middleOf(bad),
    middleOf(rows.locator("span", { hasText: /^good\slink$/ })),
  ]);
  // The terminal takes the mouse for all of its cells, and looks for a link where the mouse comes to.
  await page.mouse.move(...bad_place);
  await page.mouse.click(...bad_place);
  await page.mouse.move(...good_place);
  await page.mouse.click(...good_place);
  const question = page.getByRole("dialog", { name: "Leave for another site?" });
  await question.getByText("https://example.org/x?y=1").waitFor();
  await question.getByRole("button", { name: "Stay" }).click();
  assert.equal(dashboard.context.pages().length, pages, "nothing was opened");
  await page.close();
});

test("a cell runs in Jupyter Lab, in a frame of the page", async () => {
  // Lab looks for a language pack that Debian leaves out, and complains of its own modules.
  dashboard.expectProblems(/jupyter-\w+\.localhost/);
  // A busy machine may want more than one try to start it.
  dashboard.expectProblems(/503 .*\/jupyter\/open/);
  const page = await open("jupyter");
  const lab = page.frameLocator("iframe[title='Jupyter Lab of the job']");
  await lab.locator(".jp-LauncherCard[title^='Python 3']").first().click();
  // A cell that is run before its kernel is there stays as it is.
  await lab.getByText("(ipykernel) | Idle").first().waitFor();
  const cell = lab.locator(".jp-Notebook .jp-CodeCell .cm-content").first();
  await cell.click();
  await page.keyboard.type("print(6 * 7, 'from the frame')");
  await page.keyboard.press("Shift+Enter");
  await lab.locator(".jp-OutputArea-output").getByText("42 from the frame").waitFor();
  await page.close();
});

test("a port is shown in a frame that cannot lead the page away or look into it", async () => {
  // The browser says what it refused the page.
  dashboard.expectProblems(/sandbox|navigat|window\.open|Blocked|SecurityError|example\.org/i);
  const page = await open("ports");
  await page.getByRole("button", { name: /5173/, pressed: true }).waitFor();
  const preview = page.frameLocator("iframe[title='What port 5173 shows']");
  await preview.getByText("at /").waitFor();
  const frame = page.locator("iframe");
  assert.equal(await frame.getAttribute("sandbox"), "allow-scripts allow-forms allow-same-origin");
  assert.equal(await frame.getAttribute("referrerpolicy"), "no-referrer");
  const pages = dashboard.context.pages().length;
  await preview.getByRole("button", { name: "Click me" }).click();
  await preview.getByRole("button", { name: "refused no window" }).waitFor();
  assert.ok(page.url().startsWith(`${dashboard.origin}/job/${job_id}`), page.url());
  assert.equal(dashboard.context.pages().length, pages);

  await page.getByRole("textbox", { name: "Path" }).fill("/deep/link");
  await page.keyboard.press("Enter");
  await preview.getByText("at /deep/link").waitFor();
  await page.getByRole("button", { name: "As wide as a phone" }).click();
  assert.equal(await width(preview), 390);
  const [tab] = await Promise.all([
    dashboard.context.waitForEvent("page"),
    page.getByRole("button", { name: "Open in a tab" }).click(),
  ]);
  await tab.getByText("at /deep/link").waitFor();
  assert.equal(await tab.evaluate("window.opener"), null);
  await Promise.all([tab.close(), page.close()]);
});

test("an image without a desktop says which one has it; ports and terminals of it work", async () => {
  // A desktop that is asked for where there is none is a conflict.
  dashboard.expectProblems(/409 \(Conflict\)/);
  const plain = await dashboard.orchestrator.schedule({ prompt: script("echo begun; sleep 1000") });
  await dashboard.orchestrator.untilPrinted(plain, "begun");
  const page = await open("desktop", plain);
  await page.getByRole("heading", { name: "This image has no desktop" }).waitFor();
  const clone = page.getByRole("link", { name: "Clone this job" });
  assert.equal(await clone.getAttribute("href"), `/new?from=${plain}`);
  await page.getByRole("tab", { name: "Jupyter" }).click();
  await page.getByRole("heading", { name: "This image has no Jupyter Lab" }).waitFor();
  await page.getByRole("tab", { name: "Ports" }).click();
  await page.getByRole("heading", { name: "Nothing listens yet" }).waitFor();
  await dashboard.orchestrator.cancel(plain);
  await page.getByRole("heading", { name: "The sandbox is gone, and its servers with it" }).waitFor();
  await page.close();
});

test("after the end each surface says what can still be had", async () => {
  const page = await open("desktop");
  await page.getByText("The agent drives").waitFor();
  await dashboard.orchestrator.cancel(job_id);
  await page.getByText("The last picture").waitFor();
  await page
    .getByRole("tabpanel")
    .getByRole("img", { name: /^The screen at/ })
    .waitFor();
  await page.getByRole("tab", { name: "Terminal" }).click();
  await page.getByRole("heading", { name: "The sandbox is gone, and its terminals with it" }).waitFor();
  await page.getByRole("tab", { name: "Jupyter" }).click();
  await page.getByRole("heading", { name: "The sandbox is gone, and Jupyter Lab with it" }).waitFor();
  await dashboard.orchestrator.ended(job_id);
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByRole("treeitem", { name: "server.js" }).click();
  await page.getByRole("region", { name: "server.js" }).getByText("require").first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Edit" }).count(), 0);
  await page.close();
});

async function middleOf(part: Locator): Promise<[x: number, y: number]> {
  const box = await part.boundingBox();
  assert.ok(box !== null);
  return [box.x + box.width / 2, box.y + box.height / 2];
}

function width(frame: FrameLocator): Promise<unknown> {
  return frame.locator("html").evaluate("innerWidth");
}
