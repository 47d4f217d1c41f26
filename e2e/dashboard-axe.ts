import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { untilSettled } from "./dashboard-looks.ts";
import { REPOSITORY } from "./harness.ts";

/** What axe finds wrong; see https://github.com/dequelabs/axe-core/blob/develop/doc/API.md#results-object. */
export type Finding = {
  id: string;
  impact: string | null;
  help: string;
  nodes: { html: string; target: string[] }[];
};

const AXE = await readFile(join(REPOSITORY, "node_modules/axe-core/axe.min.js"), "utf8");

/**
 * What a sandbox serves is shown in frames, and not ours to judge. While a menu is open the page behind it is hidden and out of reach, which axe
 * knows of dialogs only: then the menu alone is looked at.
 */
const RUN = `(() => {
  const open = [...document.querySelectorAll("[role=menu], [data-radix-popper-content-wrapper] [role=listbox]")];
  const within = open.length > 0 ? { include: open } : { exclude: [["iframe"]] };
  return axe.run(within, { resultTypes: ["violations"], iframes: false }).then(({ violations }) => violations);
})()`;

/** What keeps people with other needs out of a page as it stands. */
export async function findingsOf(page: Page): Promise<Finding[]> {
  // The page's policy lets in no script by address or text; the debugger is not bound by it.
  if ((await page.evaluate("typeof globalThis.axe")) === "undefined") await page.evaluate(AXE);
  return page.evaluate<Finding[]>(RUN);
}

/** The same in dark and in light, in a line each. */
export async function findingsInBothThemes(page: Page): Promise<string[]> {
  const lines: string[] = [];
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await untilSettled(page);
    for (const { id, nodes } of await findingsOf(page))
      lines.push(...nodes.map(({ target }) => `${colorScheme}: ${id} at ${target.join(" ")}`));
  }
  return lines;
}
