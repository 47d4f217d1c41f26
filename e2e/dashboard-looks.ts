import type { Page } from "playwright-core";

/** The ways in which each page is looked at. */
export const LOOKS = [
  { theme: "dark", width: "wide", size: { width: 1440, height: 900 } },
  { theme: "light", width: "wide", size: { width: 1440, height: 900 } },
  { theme: "light", width: "narrow", size: { width: 390, height: 844 } },
  { theme: "dark", width: "narrow", size: { width: 390, height: 844 } },
] as const;
export type OneLook = (typeof LOOKS)[number];

/**
 * A page that shows no placeholder and has changed nothing for so many frames is as it will be. One at work changes for ever, and one whose
 * server is lost may wait for ever: they are taken as they are.
 */
const SETTLED = `(async () => {
  const waits = () => document.querySelector("[data-skeleton], [aria-busy=true]") !== null;
  await document.fonts.ready;
  let quiet = 0;
  const observer = new MutationObserver(() => { quiet = 0; });
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (let frame = 0; quiet < 12 && frame < (waits() ? 300 : 120); frame += 1) {
    await Promise.race([new Promise(requestAnimationFrame), new Promise((late) => setTimeout(late, 200))]);
    quiet = waits() ? 0 : quiet + 1;
  }
  observer.disconnect();
})()`;

/** Shows a page in each of them, the first one again at the end. */
export async function inEachLook(
  page: Page,
  see: (look: OneLook) => Promise<void>,
  again?: () => Promise<unknown>,
): Promise<void> {
  // A tab behind another one draws nothing.
  await page.bringToFront();
  for (const [place, look] of LOOKS.entries()) {
    await page.emulateMedia({ colorScheme: look.theme, reducedMotion: "reduce" });
    await page.setViewportSize(look.size);
    if (place > 0 && again !== undefined) await again();
    await untilSettled(page);
    await see(look);
  }
  const [first] = LOOKS;
  await page.emulateMedia({ colorScheme: first.theme, reducedMotion: "reduce" });
  await page.setViewportSize(first.size);
  await untilSettled(page);
}

export async function untilSettled(page: Page): Promise<void> {
  await page.evaluate(SETTLED);
}
