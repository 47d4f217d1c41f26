import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { inEachLook } from "./dashboard-looks.ts";
import { PICTURES_FOLDER, Pictures } from "./dashboard-pictures.ts";
import { openPlace, TOURS } from "./dashboard-tour.ts";
import { REPOSITORY } from "./harness.ts";

const GRAVE: readonly string[] = ["serious", "critical"];
/** Each theme and each width once: colours do not depend on the width, nor the layout on colours. */
const JUDGED: readonly string[] = ["dark wide", "light narrow"];

type Finding = {
  id: string;
  impact: string | null;
  help: string;
  nodes: { html: string; target: string[] }[];
};

/**
 * What a sandbox serves is shown in frames, and not ours to judge. While a menu is open the page behind it is hidden and out of reach, which axe
 * knows of dialogs only: then the menu alone is looked at.
 */
const RUN = `(() => {
  const open = [...document.querySelectorAll("[role=menu], [data-radix-popper-content-wrapper] [role=listbox]")];
  const within = open.length > 0 ? { include: open } : { exclude: [["iframe"]] };
  return axe.run(within, { resultTypes: ["violations"], iframes: false }).then(({ violations }) => violations);
})()`;

async function findingsOf(page: Page, axe: string): Promise<Finding[]> {
  // The page's policy lets in no script by address or text; the debugger is not bound by it.
  if ((await page.evaluate("typeof globalThis.axe")) === "undefined") await page.evaluate(axe);
  const found = await page.evaluate<Finding[]>(RUN);
  return found.filter(({ impact }) => impact !== null && GRAVE.includes(impact));
}

let axe: string;
let pictures: Pictures;
let place: Awaited<ReturnType<typeof openPlace>>;
before(async () => {
  axe = await readFile(join(REPOSITORY, "node_modules/axe-core/axe.min.js"), "utf8");
  pictures = await Pictures.into(PICTURES_FOLDER);
  place = await openPlace();
});
after(async () => {
  await pictures.writeIndex();
  await place[Symbol.asyncDispose]();
});

describe("no grave finding of axe, dark and light, wide and narrow, and a picture of each:", {
  concurrency: 1,
}, () => {
  for (const [about, tour] of TOURS)
    test(about, async () => {
      const findings = new Map<string, string[]>();
      await tour(place, (name, page, again) =>
        inEachLook(
          page,
          async (look) => {
            await pictures.take(page, name, look);
            if (!JUDGED.includes(`${look.theme} ${look.width}`)) return;
            for (const { id, help, nodes } of await findingsOf(page, axe))
              for (const { html } of nodes) {
                const key = `${id} (${help}): ${html.slice(0, 200)}`;
                findings.set(key, [...(findings.get(key) ?? []), `${name}, ${look.theme}, ${look.width}`]);
              }
          },
          again,
        ),
      );
      assert.deepEqual(Object.fromEntries(findings), {});
    });
});
