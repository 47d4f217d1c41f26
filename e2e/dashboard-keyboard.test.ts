import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { TestDashboard } from "./dashboard.ts";
import { PATIENCE_MS, script } from "./harness.ts";

/** So many presses of Tab go once round any of these pages. */
const PRESSES_MAX = 120;

/** The element that has the focus, and whether one can see that: by its outline, that of something in or around it, or a caret. */
const FOCUS = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return null;
  const outlined = (node, pseudo) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(node, pseudo);
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
  };
  const text = element.matches("input:not([type=checkbox]), textarea, [contenteditable=true]");
  const box = element.getBoundingClientRect();
  return {
    name: (element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent ?? "").trim().slice(0, 60),
    role: element.getAttribute("role") ?? element.tagName.toLowerCase(),
    visible: text || [null, "::before", "::after"].some((pseudo) => outlined(element, pseudo)),
    on_screen: element.matches(".xterm-helper-textarea") || (box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth),
  };
})()`;
type Focus = { name: string; role: string; visible: boolean; on_screen: boolean } | null;

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start();
  // A desktop that is asked for where there is none is a conflict.
  dashboard.expectProblems(/409 \(Conflict\) .*\/screen\.png/);
});
after(() => dashboard[Symbol.asyncDispose]());

const focusOf = (page: Page): Promise<Focus> => page.evaluate<Focus>(FOCUS);

/** Presses Tab until what has the focus bears this name; everything on the way there has to show that it has the focus. */
async function tabTo(page: Page, name: string | RegExp, key = "Tab"): Promise<void> {
  const passed: string[] = [];
  for (let press = 0; press < PRESSES_MAX; press += 1) {
    await page.keyboard.press(key);
    const focus = await focusOf(page);
    if (focus === null) continue;
    const said = `${focus.role} “${focus.name}”`;
    passed.push(said);
    assert.ok(focus.visible, `${said} does not show that it has the focus`);
    assert.ok(focus.on_screen, `${said} has the focus where nobody sees it`);
    if (typeof name === "string" ? focus.name === name : name.test(focus.name)) return;
  }
  assert.fail(`Tab does not lead to ${name}: ${passed.join(", ")}`);
}

/** Waits for the focus frame by frame: the page's policy lets no condition be made of text inside it. */
async function focusIs(page: Page, name: string | RegExp): Promise<void> {
  let focus: Focus = null;
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    focus = await focusOf(page);
    if (focus !== null && (typeof name === "string" ? focus.name === name : name.test(focus.name))) return;
    await page.evaluate("new Promise((next) => requestAnimationFrame(next))");
  }
  assert.fail(`The focus is at ${focus?.role} “${focus?.name}” instead of ${name}.`);
}

test("by keyboard alone: sign in, go through the list, watch a job and its surfaces, cancel it, schedule another one", async () => {
  const { orchestrator, context, origin } = dashboard;
  await orchestrator.schedule({ prompt: `# Count to the end\n\n${script("seq 3; sleep 1000")}` });
  await context.clearCookies();
  const page = await context.newPage();
  dashboard.expectProblems(/401/);
  await page.goto(`${origin}/`);
  await page.getByRole("heading", { name: "Sign in to Sealwork" }).waitFor();
  await focusIs(page, /token$/);
  await page.keyboard.type(orchestrator.token);
  await page.keyboard.press("Enter");

  await page.getByRole("link", { name: "Count to the end" }).waitFor();
  await page.keyboard.press("Tab");
  await tabTo(page, "Count to the end");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Count to the end" }).waitFor();
  await page.getByText("Working").first().waitFor();

  await tabTo(page, "Overview");
  await page.keyboard.press("ArrowRight");
  await page.getByRole("heading", { name: "This image has no desktop" }).waitFor();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tab", { name: "Terminal", selected: true }).waitFor();
  await page.locator(".xterm-rows").getByText("$").first().waitFor();
  await tabTo(page, /^Shell 1$/);
  await tabTo(page, "Terminal input");
  await page.keyboard.type("echo typed-$((40 + 2))\n");
  await page.locator(".xterm-rows").getByText("typed-42").waitFor();
  await page.keyboard.press("Control+Shift+ArrowUp");
  await focusIs(page, "Shell 1");
  await tabTo(page, "Terminal", "Shift+Tab");
  for (const name of ["Jupyter", "Files"]) {
    await page.keyboard.press("ArrowRight");
    await page.getByRole("tab", { name, selected: true }).waitFor();
  }

  await tabTo(page, "Cancel", "Shift+Tab");
  await page.keyboard.press("Enter");
  await focusIs(page, "Yes, cancel the job");
  await page.keyboard.press("Enter");
  await page.getByText("Cancelled").first().waitFor();

  await page.keyboard.press("c");
  await page.getByRole("heading", { name: "New job" }).waitFor();
  await page.locator(".cm-content").waitFor();
  await focusIs(page, "Task");
  await page.keyboard.type("# Say it\n\n```sh\necho by keyboard\n```\n");
  await tabTo(page, "Agent");
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: "Script" }).waitFor();
  await page.keyboard.press("s");
  await page.keyboard.press("Enter");
  await focusIs(page, "Agent");
  await tabTo(page, /^Schedule/);
  await page.keyboard.press("Enter");
  await page.getByText("by keyboard").first().waitFor();
  await page.getByText("Complete").first().waitFor();
  await page.close();
});

test("dialogs take the focus, keep it, and give it back", async () => {
  const page = await dashboard.open("/settings/tokens");
  await page.getByRole("button", { name: "New token" }).waitFor();
  await tabTo(page, "New token");
  await page.keyboard.press("Enter");
  await focusIs(page, "Name");
  for (let press = 0; press < 8; press += 1) {
    await page.keyboard.press("Tab");
    const inside = await page.evaluate("document.activeElement.closest('[role=dialog]') !== null");
    assert.ok(inside, "the focus stays in the dialog");
  }
  await page.keyboard.press("Escape");
  await focusIs(page, "New token");

  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Commands" }).waitFor();
  await page.keyboard.press("Escape");
  await focusIs(page, "New token");
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await focusIs(page, "New token");
  await page.close();
});

test("whoever comes by keyboard gets past the bar at once, and on each page goes once round without being held", async () => {
  for (const [path, heading] of [
    ["/", "Jobs"],
    ["/settings/tokens", "Tokens"],
    ["/settings/templates", "Templates"],
    ["/settings/models", "Models"],
    ["/settings/engine", "Engine"],
  ] as const) {
    const page = await dashboard.open(path);
    await page.getByRole("heading", { name: heading, exact: true }).first().waitFor();
    await page.keyboard.press("Tab");
    await focusIs(page, "Skip to the page");
    await tabTo(page, "New job");
    await page.close();
  }
});
