import type { Page } from "playwright-core";
import { seedBigJob } from "../e2e/big-job.ts";
import { openBrowser } from "../e2e/browser.ts";
import type { TestOrchestrator } from "../e2e/harness.ts";
import { signIn, visit } from "./dashboard.ts";
import { type Summary, summarize } from "./statistics.ts";

const SMALL = { events: 300, output_bytes: 30_000 };
const BIG = { events: 100_000, output_bytes: 50_000_000 };
/** The output of the first step is on the page: what comes before it is there too then. */
const FIRST_OUTPUT = "article[data-kind=step] pre";
const SCREENS = 60;
const JUMPS = 12;

/** Times in ms, in a browser whose cache has the build's files. */
export type JobPageFigures = {
  /** From the start of a navigation until the first step shows what it wrote, and the page takes input. */
  small: Summary;
  /** The same for a job with 100,000 events and 50 MB of output. */
  big: Summary;
  /** The longest that the page took no input while that job was scrolled through; 0 when it never was 50 ms. */
  longest_task: Summary;
};

/** The page of a small and of a big job by turns, both seeded. */
export async function measureJobPage(orchestrator: TestOrchestrator, runs: number): Promise<JobPageFigures> {
  await orchestrator.stop();
  const small = await seedBigJob(orchestrator.data, SMALL);
  const big = await seedBigJob(orchestrator.data, BIG);
  await orchestrator.restart();
  await using browser = await openBrowser();
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  const origin = await signIn(orchestrator, page);
  const times = { small: [] as number[], big: [] as number[], longest_task: [] as number[] };
  for (let run = 0; run <= runs; run += 1) {
    const small_ms = await visit(page, origin, { path: `/job/${small}`, wanted: FIRST_OUTPUT });
    const big_ms = await visit(page, origin, { path: `/job/${big}`, wanted: FIRST_OUTPUT });
    // The first visits fill the browser's cache.
    if (run === 0) continue;
    times.small.push(small_ms);
    times.big.push(big_ms);
    times.longest_task.push(await scrollThrough(page));
  }
  return {
    small: summarize(times.small),
    big: summarize(times.big),
    longest_task: summarize(times.longest_task),
  };
}

/** Scrolls as a wheel does and by jumps, once the whole story is there; the longest task meanwhile. */
async function scrollThrough(page: Page): Promise<number> {
  await page.locator("[role=feed][aria-busy=false]").waitFor();
  return page.evaluate<number>(`(async () => {
    const feed = document.querySelector("[role=feed]");
    const frame = () => new Promise(requestAnimationFrame);
    let longest = 0;
    const note = (list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    };
    const tasks = new PerformanceObserver(note);
    tasks.observe({ type: "longtask" });
    for (let screen = 0; screen < ${SCREENS}; screen += 1) {
      feed.scrollTop += feed.clientHeight * 0.8;
      await frame();
      await frame();
    }
    for (let jump = 1; jump <= ${JUMPS}; jump += 1) {
      feed.scrollTop = (feed.scrollHeight * ((jump * 7) % ${JUMPS})) / ${JUMPS};
      for (let frames = 0; frames < 12; frames += 1) await frame();
    }
    note({ getEntries: () => tasks.takeRecords() });
    tasks.disconnect();
    return longest;
  })()`);
}
