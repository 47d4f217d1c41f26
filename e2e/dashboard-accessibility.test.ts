import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { findingsOf } from "./dashboard-axe.ts";
import { inEachLook } from "./dashboard-looks.ts";
import { PICTURES_FOLDER, Pictures } from "./dashboard-pictures.ts";
import { openPlace, TOURS } from "./dashboard-tour.ts";

const GRAVE: readonly string[] = ["serious", "critical"];
/** Each theme and each width once: colours do not depend on the width, nor the layout on colours. */
const JUDGED: readonly string[] = ["dark wide", "light narrow"];

let pictures: Pictures;
let place: Awaited<ReturnType<typeof openPlace>>;
before(async () => {
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
            for (const { id, impact, help, nodes } of await findingsOf(page)) {
              if (impact === null || !GRAVE.includes(impact)) continue;
              for (const { html } of nodes) {
                const key = `${id} (${help}): ${html.slice(0, 200)}`;
                findings.set(key, [...(findings.get(key) ?? []), `${name}, ${look.theme}, ${look.width}`]);
              }
            }
          },
          again,
        ),
      );
      assert.deepEqual(Object.fromEntries(findings), {});
    });
});
