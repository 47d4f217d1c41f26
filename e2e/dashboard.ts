import assert from "node:assert/strict";
import type { BrowserContext, Page } from "playwright-core";
import { SignInLinkAnswer } from "../src/contract/sign-in-api.ts";
import { openBrowser } from "./browser.ts";
import { PATIENCE_MS, TestOrchestrator } from "./harness.ts";

const POLL_MS = 100;

type Options = NonNullable<Parameters<typeof TestOrchestrator.start>[0]> & {
  width?: number;
  height?: number;
};

/**
 * The dashboard of a real orchestrator in a browser that is signed in there. What its pages complain of (errors, breaches of their policy) is
 * collected, and on disposal there must be none but what the test expected.
 */
export class TestDashboard {
  readonly orchestrator: TestOrchestrator;
  readonly context: BrowserContext;
  readonly #browser: AsyncDisposable;
  readonly #problems: string[] = [];
  readonly #expected: RegExp[] = [];

  private constructor(
    orchestrator: TestOrchestrator,
    browser: AsyncDisposable & { context: BrowserContext },
  ) {
    this.orchestrator = orchestrator;
    this.#browser = browser;
    this.context = browser.context;
    this.context.on("console", (message) => {
      if (message.type() === "error") this.#complain(`${message.text()} (${message.location().url})`);
    });
    this.context.on("weberror", (error) => this.#complain(String(error.error().stack ?? error.error())));
  }

  static async start({ width, height, ...options }: Options = {}): Promise<TestDashboard> {
    await using stack = new AsyncDisposableStack();
    const orchestrator = stack.use(await TestOrchestrator.start(options));
    const size = { ...(width !== undefined && { width }), ...(height !== undefined && { height }) };
    const browser = stack.use(await openBrowser(size));
    browser.context.setDefaultTimeout(PATIENCE_MS);
    const dashboard = new TestDashboard(orchestrator, browser);
    await dashboard.#signIn();
    stack.move();
    return dashboard;
  }

  /** The origin of its pages; another one after the orchestrator took another port. */
  get origin(): string {
    return `http://sealwork.localhost:${new URL(this.orchestrator.url).port}`;
  }

  /** As `sealwork open` does it. */
  async #signIn(): Promise<void> {
    const answer = await this.orchestrator.fetch("/sign-in/links", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const { url } = SignInLinkAnswer.parse(await answer.json());
    const page = await this.context.newPage();
    await page.goto(url);
    await page.close();
  }

  /** A page of the dashboard in a tab of its own. */
  async open(path = "/"): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`${this.origin}${path}`);
    return page;
  }

  /** Complaints that match belong to the test, such as those of a page whose server is stopped. */
  expectProblems(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  get problems(): readonly string[] {
    return this.#problems.filter((problem) => !this.#expected.some((pattern) => pattern.test(problem)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser[Symbol.asyncDispose]();
    await this.orchestrator[Symbol.asyncDispose]();
    assert.deepEqual(this.problems, [], "the pages complained of nothing");
  }

  #complain(problem: string): void {
    this.#problems.push(problem);
  }
}

/** Waits until the window of a page has such a title, which the dashboard keeps true of jobs as well. */
export async function untilTitled(page: Page, title: RegExp): Promise<void> {
  // As a function, because what is given as text the page's policy does not let run.
  await page.waitForFunction(
    (source) =>
      new RegExp(source, "u").test((globalThis as unknown as { document: { title: string } }).document.title),
    title.source,
    { polling: POLL_MS },
  );
}
