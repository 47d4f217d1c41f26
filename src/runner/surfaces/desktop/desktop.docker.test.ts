import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { build } from "esbuild";
import { DESKTOP_BUILD_TIMEOUT_MS, desktopImage, runHardened } from "../../../drivers/docker-images.fake.ts";

let image: string;
let code: string;

before(
  async () => {
    image = await desktopImage();
    const bundled = await build({
      entryPoints: [join(import.meta.dirname, "desktop-inside.fake.ts")],
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: "node26",
      logLevel: "silent",
      outfile: "inside.mjs",
    });
    code = bundled.outputFiles[0]?.text ?? "";
  },
  { timeout: DESKTOP_BUILD_TIMEOUT_MS },
);

/** Runs a scenario of desktop-inside.fake.ts in a sandbox of the desktop image, under the hardening that jobs have. */
async function inside(scenario: string): Promise<unknown> {
  const command = ["/usr/local/bin/node", "--input-type=module", "-", scenario];
  return JSON.parse(await runHardened(image, command, { input: code, memory: "2g", home: true }));
}

test("a program that looks for the display starts the desktop, keeps it while it runs, and lets it end", async () => {
  assert.deepEqual(await inside("program"), {
    before: { said: [], server: 0 },
    first: true,
    ended: ["started", "ended idle"],
    kept: ["started", "ended idle", "started"],
    all: ["started", "ended idle", "started", "ended idle", "started"],
    third: true,
  });
});

test("an X server or a window manager that is killed is started again while somebody uses the desktop", async () => {
  const { messages, ...seen } = Object(await inside("killed"));
  assert.deepEqual(seen, {
    said: ["started", "ended failed", "started", "ended failed", "started", "ended job_end"],
    png: true,
    server: true,
    left: [0, 0],
  });
  assert.match(messages[0], /^The X server was ended by SIGKILL\. The last that it printed: .*VNC/s);
  assert.match(messages[1], /^The window manager was ended by SIGKILL/);
});

test("the clipboard passes only while it may, also on an X server that was started again", async () => {
  assert.deepEqual(await inside("clipboard"), {
    idle: false,
    off: ["off", "off"],
    on: ["on", "on"],
    restarted: ["off", "off"],
  });
});

test("what is typed arrives as it is, also many characters that no keyboard has", {
  timeout: 120_000,
}, async () => {
  const { terminal, windows } = Object(await inside("typing"));
  assert.equal(terminal, true);
  assert.match(windows, /typed it all/);
});
