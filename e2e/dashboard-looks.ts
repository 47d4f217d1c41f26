import type { Page } from "playwright-core";

/** The ways in which each page is looked at. */
export const LOOKS = [
  { theme: "dark", width: "wide", size: { width: 1440, height: 900 } },
  { theme: "light", width: "wide", size: { width: 1440, height: 900 } },
  { theme: "light", width: "narrow", size: { width: 390, height: 844 } },
  { theme: "dark", width: "narrow", size: { width: 390, height: 844 } },
] as const;
export type OneLook = (typeof LOOKS)[number];

/** A page that shows no placeholder and has changed nothing for so many frames is as it will be; one at work changes for ever, and is taken as it is. */
const SETTLED = `(async () => {
  await document.fonts.ready;
  let quiet = 0;
  const observer = new MutationObserver(() => { quiet = 0; });
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (let frame = 0; quiet < 12 && (frame < 120 || document.querySelector("[data-skeleton], [aria-busy=true]") !== null); frame += 1) {
    await new Promise((next) => requestAnimationFrame(next));
    quiet = document.querySelector("[data-skeleton], [aria-busy=true]") === null ? quiet + 1 : 0;
  }
  observer.disconnect();
})()`;

/** Shows a page in each of them, the first one again at the end. */
export async function inEachLook(
  page: Page,
  see: (look: OneLook) => Promise<void>,
  again?: () => Promise<unknown>,
): Promise<void> {
  for (const [place, look] of LOOKS.entries()) {
    await page.emulateMedia({ colorScheme: look.theme, reducedMotion: "reduce" });
    await page.setViewportSize(look.size);
    if (place > 0 && again !== undefined) await again();
    await settled(page);
    await see(look);
  }
  const [first] = LOOKS;
  await page.emulateMedia({ colorScheme: first.theme, reducedMotion: "reduce" });
  await page.setViewportSize(first.size);
  await settled(page);
}

export async function settled(page: Page): Promise<void> {
  await page.evaluate(SETTLED);
}
