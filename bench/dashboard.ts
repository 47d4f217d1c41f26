import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { openBrowser } from "../e2e/browser.ts";
import type { TestOrchestrator } from "../e2e/harness.ts";
import { SignInLinkAnswer } from "../src/contract/sign-in-api.ts";
import { type Summary, settle, summarize } from "./statistics.ts";

/** In ms, from the start of a navigation to the moment at which the page shows what was wanted and takes input. */
export type DashboardFigures = {
  /** The list of jobs, in a browser that never saw the dashboard. */
  first: Summary;
  /** The same with the build's files in the browser's cache. */
  again: Summary;
  /** The description of the interface at `/docs`, served by the same server; nothing of it cached, and all of it. */
  docs_first: Summary;
  docs_again: Summary;
};

export type Visit = { path: string; wanted: string };

const LIST: Visit = { path: "/", wanted: 'main a[href^="/job/"]' };
const DOCS: Visit = { path: "/docs", wanted: ".swagger-ui .opblock" };

/** Runs in each page before its own scripts: notes when what is wanted is there, and the page has drawn and is idle. */
const NOTE_READY = `
  globalThis.readyAt = (wanted) => new Promise((resolve) => {
    const look = () => document.querySelector(wanted) !== null;
    const drawn = () => requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now());
      port2.postMessage(null);
    });
    if (look()) return drawn();
    const watching = new MutationObserver(() => {
      if (!look()) return;
      watching.disconnect();
      drawn();
    });
    watching.observe(document, { childList: true, subtree: true });
  });
`;

/** Needs an orchestrator that has jobs to list. Each visit is a load of its own; the list and `/docs` come by turns. */
export async function measureDashboard(
  orchestrator: TestOrchestrator,
  runs: number,
): Promise<DashboardFigures> {
  await using browser = await openBrowser();
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  const origin = await signIn(orchestrator, page);
  const session = await browser.context.newCDPSession(page);
  const times = { first: [], again: [], docs_first: [], docs_again: [] } as Record<
    keyof DashboardFigures,
    number[]
  >;
  for (let run = 0; run < runs; run += 1) {
    await session.send("Network.clearBrowserCache");
    times.first.push(await visit(page, origin, LIST));
    times.again.push(await visit(page, origin, LIST));
    times.docs_first.push(await visit(page, origin, DOCS));
    times.docs_again.push(await visit(page, origin, DOCS));
  }
  return {
    first: summarize(times.first),
    again: summarize(times.again),
    docs_first: summarize(times.docs_first),
    docs_again: summarize(times.docs_again),
  };
}

/** Signs the browser in as `sealwork open` does, and returns the dashboard's origin. */
export async function signIn(orchestrator: TestOrchestrator, page: Page): Promise<string> {
  const answer = await orchestrator.fetch("/sign-in/links", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ path: "/" }),
  });
  const { url } = SignInLinkAnswer.parse(await answer.json());
  await page.addInitScript(NOTE_READY);
  await page.goto(url);
  return new URL(url).origin;
}

export async function visit(page: Page, origin: string, { path, wanted }: Visit): Promise<number> {
  await page.goto("about:blank");
  await settle();
  await page.goto(`${origin}${path}`, { waitUntil: "commit" });
  const ready_ms = await page.evaluate(`readyAt(${JSON.stringify(wanted)})`);
  assert(typeof ready_ms === "number");
  return ready_ms;
}
