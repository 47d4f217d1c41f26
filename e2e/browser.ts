import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";

/** Debian's Chromium; `.ci/run` installs it. */
const PROGRAM = "/usr/bin/chromium";
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** A browser of a person: a real Chromium with a profile of its own, gone on disposal. */
export async function openBrowser(
  options: { width?: number; height?: number } = {},
): Promise<AsyncDisposable & { context: BrowserContext }> {
  const { width = 1280, height = 800 } = options;
  const profile = await mkdtemp(join(tmpdir(), "sw-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: PROGRAM,
    headless: true,
    args: QUIET,
    viewport: { width, height },
  });
  return {
    context,
    async [Symbol.asyncDispose]() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
