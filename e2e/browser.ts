import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
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

/**
 * A browser of a person: a real Chromium with a profile of its own, gone on disposal. Debian's blocks cookies of third parties unless it is
 * told otherwise.
 */
export async function openBrowser(
  options: { width?: number; height?: number; third_party_cookies?: boolean } = {},
): Promise<AsyncDisposable & { context: BrowserContext }> {
  const { width = 1280, height = 800 } = options;
  const profile = await mkdtemp(join(tmpdir(), "sw-browser-"));
  if (options.third_party_cookies === true) {
    await mkdir(join(profile, "Default"));
    await writeFile(join(profile, "Default/Preferences"), '{"profile":{"cookie_controls_mode":0}}');
  }
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
