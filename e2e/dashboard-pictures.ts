import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { inEachLook, LOOKS } from "./dashboard-looks.ts";
import { openPlace, TOURS } from "./dashboard-tour.ts";
import { REPOSITORY } from "./harness.ts";

/** Where the pictures lie that people look through; no part of the repository. */
export const PICTURES_FOLDER = join(REPOSITORY, "e2e/out/dashboard");

/** Pictures of pages as PNG, named after what they show and in which look, with a page to look through them. */
export class Pictures {
  readonly folder: string;
  readonly #names: string[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Of a folder that holds nothing but pictures and their page; those of before are removed. */
  static async into(folder: string): Promise<Pictures> {
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder))
      if (/\.png$|^index\.html$/.test(name)) await rm(join(folder, name));
    return new Pictures(folder);
  }

  async take(page: Page, name: string, look: { theme: string; width: string }): Promise<void> {
    if (!this.#names.includes(name)) this.#names.push(name);
    // The blinking line of a text field would make each picture another one.
    await page.screenshot({
      path: join(this.folder, fileOf(name, look)),
      animations: "disabled",
      caret: "hide",
    });
  }

  async writeIndex(): Promise<void> {
    await writeFile(join(this.folder, "index.html"), indexOf(this.#names));
  }
}

function fileOf(name: string, { theme, width }: { theme: string; width: string }): string {
  return `${name}-${theme}-${width}.png`;
}

function indexOf(names: readonly string[]): string {
  const sections = names.map((name) => {
    const pictures = LOOKS.map((look) => {
      const file = fileOf(name, look);
      return `<a href="${file}"><img loading="lazy" class="${look.width}" src="${file}" alt="${name}, ${look.theme}, ${look.width}"></a>`;
    });
    return `<section id="${name}"><h2><a href="#${name}">${name}</a></h2><div>${pictures.join("")}</div></section>`;
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>The dashboard in pictures</title>
<style>
  body { margin: 2rem; font: 14px/1.5 system-ui, sans-serif; background: #808891; color: #fff; }
  h2 a { color: inherit; }
  div { display: flex; gap: 1rem; overflow-x: auto; align-items: start; }
  img { height: 420px; border-radius: 6px; display: block; }
</style>
<h1>The dashboard in pictures</h1>
${sections.join("\n")}
</html>
`;
}

if (import.meta.main) {
  const pictures = await Pictures.into(process.argv[2] ?? PICTURES_FOLDER);
  await using place = await openPlace();
  for (const [, tour] of TOURS)
    await tour(place, (name, page, again) =>
      inEachLook(page, (look) => pictures.take(page, name, look), again),
    );
  await pictures.writeIndex();
  console.log(`Open ${join(pictures.folder, "index.html")}`);
}
