import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import WebSocket, { createWebSocketStream } from "ws";
import type { DesktopView } from "../src/contract/desktop-api.ts";
import type { Event } from "../src/contract/event.ts";
import { openBrowser } from "./browser.ts";
import { TestOrchestrator } from "./harness.ts";
import { RfbViewer } from "./rfb-viewer.ts";
import { LiveClient } from "./terminals.ts";

const BLUE = 0x204060;
const RED = 0xc03020;
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const RETURN = "\n";
const CONTROL = 0xffe3;

/**
 * The agent's window: a terminal that fills the screen, blue until somebody types a line into it, red from then on. The line `paint` makes it
 * change all the time for a while. What was typed is printed.
 */
const WINDOW = `
cat > window.sh <<'END'
stty -echo
printf '\\033]10;#204060\\007\\033]11;#204060\\007\\033]12;#204060\\007'
echo opened >> said
while read -r line; do
  echo "typed $line" >> said
  if [ "$line" = paint ]; then
    for i in $(seq 1000); do printf '\\033]11;#0000%02x\\007' $((i % 256)); sleep 0.01; done
  fi
  printf '\\033]11;#c03020\\007'
done
END
touch said
lxterminal --no-remote --title=window --command='sh window.sh' &
until grep -q opened said && wmctrl -r window -b add,fullscreen; do sleep 0.1; done
echo window is there
tail -f said
`;
const fence = (language: string, code: string) => `\`\`\`${language}\n${code}\n\`\`\``;

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

describe("one desktop", () => {
  let job_id: string;
  before(async () => {
    job_id = await orchestrator.schedule({ prompt: fence("sh", WINDOW), template: "desktop" });
    await orchestrator.untilPrinted(job_id, "window is there");
  });
  after(() => orchestrator.cancel(job_id));

  test("a viewer sees the agent's window, types nothing without the desktop and into it with the desktop", async () => {
    using viewer = await look(job_id, "viewer=anna-0001&name=Anna");
    await viewer.until(() => viewer.count(BLUE) > 100_000);
    viewer.type(`without${RETURN}`);
    await control(job_id, "anna-0001", { take: true });
    viewer.type(`with${RETURN}`);
    await viewer.until(() => viewer.count(RED) > 100_000);
    await orchestrator.untilPrinted(job_id, "typed with\n");
    assert.doesNotMatch(await orchestrator.logs(job_id), /without/);
    const view = await control(job_id, "anna-0001", { take: false });
    assert.deepEqual([view.held_by, view.viewers.length], [null, 1]);
    assert.deepEqual((await changes(job_id)).slice(-2), [
      { held_by: "Anna", cause: "taken" },
      { held_by: null, cause: "given_back" },
    ]);
  });

  test("of two people one drives; the other takes over by force, and nothing stays held down", async () => {
    using anna = await look(job_id, "viewer=anna-0001&name=Anna&control=take");
    using ben = await look(job_id, "viewer=ben-00001&name=Ben");
    const refused = await orchestrator.fetch(`/jobs/${job_id}/desktop/control`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ viewer: "ben-00001", take: true }),
    });
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /Anna drives the desktop/);
    anna.type(`anna${RETURN}`);
    await orchestrator.untilPrinted(job_id, "typed anna\n");
    // With it held down nothing that anybody types would be a letter.
    anna.key(CONTROL, true);
    await control(job_id, "ben-00001", { take: true, force: true });
    anna.type(`still anna${RETURN}`);
    ben.type(`ben${RETURN}`);
    await orchestrator.untilPrinted(job_id, "typed ben\n");
    assert.doesNotMatch(await orchestrator.logs(job_id), /still/);
    await control(job_id, "ben-00001", { take: false });
  });

  test("who drives keeps the desktop over a dropped connection, and loses it by staying away", async () => {
    const dropped = await look(job_id, "viewer=anna-0001&name=Anna&control=take");
    const seen = (await changes(job_id)).length;
    dropped[Symbol.dispose]();
    {
      using back = await look(job_id, "viewer=anna-0001&name=Anna");
      back.type(`back again${RETURN}`);
      await orchestrator.untilPrinted(job_id, "typed back again\n");
      assert.equal((await changes(job_id)).length, seen, "nothing happened that an event would tell");
    }
    await orchestrator.until(
      job_id,
      (event) => event.type === "control.changed" && event.data.cause === "left",
    );
  });

  test("the desktop takes the size of who drives, within bounds, and of nobody else", async () => {
    using anna = await look(job_id, "viewer=anna-0001&name=Anna&control=take");
    using ben = await look(job_id, "viewer=ben-00001&name=Ben");
    ben.resize(640, 480);
    anna.resize(1000, 700);
    for (const viewer of [anna, ben])
      await viewer.until(() => viewer.width === 1000 && viewer.height === 700);
    anna.resize(100, 20_000);
    for (const viewer of [anna, ben])
      await viewer.until(() => viewer.width === 320 && viewer.height === 2160);
    anna.resize(1280, 800);
    await anna.until(() => anna.width === 1280);
    await control(job_id, "ben-00001", { take: true, force: true });
    await ben.until(() => ben.width === 640 && ben.height === 480);
    ben.resize(1280, 800);
    await ben.until(() => ben.width === 1280);
    await control(job_id, "ben-00001", { take: false });
  });

  test("a megabyte passes through the clipboard in both directions, and nothing when it is switched off", async () => {
    const large = "0123456789abcdef".repeat(62_500);
    using anna = await look(job_id, "viewer=anna-0001&name=Anna&control=take");
    anna.paste(large);
    // The next key comes behind the clipboard, so it is there once that was typed.
    anna.type(`pasted${RETURN}`);
    await orchestrator.untilPrinted(job_id, "typed pasted\n");
    assert.equal((await run(job_id, ["xclip", "-selection", "clipboard", "-o"])).length, large.length);
    const out = large.toUpperCase();
    await run(job_id, ["sh", "-c", "xclip -selection clipboard -o | tr a-z A-Z > upper"]);
    await using _upper = await copy(job_id, "upper");
    await anna.until(() => anna.copied.at(-1) === out);

    await orchestrator.fetch(`/jobs/${job_id}/desktop/clipboard`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ enabled: false }),
    });
    const copied = anna.copied.length;
    anna.paste("must not come in");
    anna.type(`not pasted${RETURN}`);
    await orchestrator.untilPrinted(job_id, "typed not pasted\n");
    assert.equal((await run(job_id, ["xclip", "-selection", "clipboard", "-o"])).length, out.length);
    await using _said = await copy(job_id, "said");
    await run(job_id, [
      "sh",
      "-c",
      "until xclip -selection clipboard -o | grep -q typed; do sleep 0.1; done",
    ]);
    // What the desktop had sent before its answer to this would be there with the answer.
    anna.resize(1000, 700);
    await anna.until(() => anna.width === 1000);
    assert.equal(anna.copied.length, copied);
    await orchestrator.fetch(`/jobs/${job_id}/desktop/clipboard`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ enabled: true }),
    });
    await control(job_id, "anna-0001", { take: false });
  });

  test("a viewer that does not read holds up nobody else", async () => {
    const stalled = new WebSocket(address(job_id, ""), { headers: authorization() });
    const slow = await RfbViewer.connect(createWebSocketStream(stalled));
    stalled.pause();
    using quick = await look(job_id, "viewer=anna-0001&control=take");
    const before = quick.frames;
    quick.type(`paint${RETURN}`);
    await quick.until(() => quick.frames > before + 50);
    slow[Symbol.dispose]();
  });

  test("a picture of the screen is there at any time", async () => {
    const answer = await orchestrator.fetch(`/jobs/${job_id}/screen.png`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "image/png");
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()).subarray(0, 4), PNG);
  });
});

test("in a browser: the page shows the agent's window change, types nothing before it is asked to drive, and then types", async () => {
  await using browser = await openBrowser();
  const job_id = await orchestrator.schedule({ prompt: fence("sh", WINDOW), template: "desktop" });
  await orchestrator.untilPrinted(job_id, "window is there");
  const page = await openPage(browser.context.pages()[0], job_id);
  await page.waitForFunction(hasColour, BLUE);
  const stage = await page.locator("#stage canvas").boundingBox();
  assert.ok(stage !== null);
  const middle = [stage.x + stage.width / 2, stage.y + stage.height / 2] as const;
  await page.mouse.click(...middle);
  await page.getByText("You are watching. Take control").waitFor();
  await page.keyboard.type("without\n");
  await page.getByRole("button", { name: "Take control" }).click();
  await page.getByText("You drive").waitFor();
  await page.mouse.click(...middle);
  await page.keyboard.type("with\n");
  await orchestrator.untilPrinted(job_id, "typed with\n");
  await page.waitForFunction(hasColour, RED);
  assert.doesNotMatch(await orchestrator.logs(job_id), /without/);
  await page.getByRole("button", { name: "Give back" }).click();
  await page.getByText("The agent drives").waitFor();
  await orchestrator.cancel(job_id);
  await page.getByRole("heading", { name: "This job has ended" }).waitFor();
});

test("an orchestrator that starts anew ends no desktop: the page comes back by itself and drives on", async () => {
  await using browser = await openBrowser();
  // Started anew it must be found where the page looks for it.
  await using own = await TestOrchestrator.start({ args: ["--port", String(await freePort())] });
  const job_id = await own.schedule({ prompt: fence("sh", WINDOW), template: "desktop" });
  await own.untilPrinted(job_id, "window is there");
  const page = await openPage(browser.context.pages()[0], job_id, own);
  await page.getByRole("button", { name: "Take control" }).click();
  await page.getByText("You drive").waitFor();
  await page.locator("#stage canvas").click();
  await page.keyboard.type("before\n");
  await own.untilPrinted(job_id, "typed before\n");
  await own.stop("SIGKILL");
  await page.getByRole("heading", { name: "Connection lost" }).waitFor();
  await own.restart();
  await page.getByText("You drive").waitFor();
  await page.locator("#stage canvas").click();
  await page.keyboard.type("afterwards\n");
  await own.untilPrinted(job_id, "typed afterwards\n");
  const told = (await own.allEvents(job_id)).filter((event) => event.type === "control.changed");
  assert.deepEqual(
    told.map(({ data }) => data),
    [
      { held_by: "Anna", cause: "taken" },
      { held_by: null, cause: "left" },
      { held_by: "Anna", cause: "taken" },
    ],
  );
});

test("while somebody drives, the agent's desktop tool waits; it goes on when the desktop is given back", async () => {
  const prompt = [
    fence("sh", "touch go; until [ -e driven ]; do sleep 0.1; done"),
    fence("desktop", "move 10 10\nscreenshot"),
    fence("sh", "echo went on"),
  ].join("\n\n");
  const job_id = await orchestrator.schedule({ prompt, template: "desktop" });
  await orchestrator.until(job_id, ({ type }) => type === "step.started");
  using _viewer = await look(job_id, "viewer=anna-0001&name=Anna&control=take");
  await run(job_id, ["touch", "driven"]);
  await orchestrator.until(job_id, (event) => event.type === "step.started" && event.data.step === 2);
  await run(job_id, ["true"]);
  const ended = (events: Event[]) => events.filter((event) => event.type === "step.ended").length;
  assert.equal(ended(await orchestrator.allEvents(job_id)), 1);
  await control(job_id, "anna-0001", { take: false });
  await orchestrator.untilPrinted(job_id, "went on");
  // A person was at work in it a moment ago, for whom the sandbox would stay open for a while.
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  const picture = await orchestrator.fetch(`/jobs/${job_id}/screen.png`);
  assert.equal(picture.status, 200, "the last capture can be looked at after the end");
  assert.deepEqual(Buffer.from(await picture.arrayBuffer()).subarray(0, 4), PNG);
});

test("an image without a desktop is named, and a job that had none has no picture", async () => {
  const job_id = await orchestrator.schedule({ prompt: fence("sh", "echo begun; sleep 1000") });
  await orchestrator.untilPrinted(job_id, "begun");
  for (const path of ["desktop/open", "screen.png"]) {
    const method = path === "screen.png" ? "GET" : "POST";
    const answer = await orchestrator.fetch(`/jobs/${job_id}/${path}`, { method });
    assert.equal(answer.status, 409);
    assert.match(await answer.text(), /template `desktop`/);
  }
  const socket = new WebSocket(address(job_id, ""), { headers: authorization() });
  socket.on("error", () => undefined);
  const [, answer] = await once(socket, "unexpected-response");
  assert.equal(answer.statusCode, 409);
  socket.terminate();
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  const picture = await orchestrator.fetch(`/jobs/${job_id}/screen.png`);
  assert.equal(picture.status, 404);
  assert.match(await picture.text(), /no picture of its screen was kept/);
});

function address(job_id: string, query: string): string {
  return `${orchestrator.url.replace("http", "ws")}/jobs/${job_id}/desktop?${query}`;
}

function authorization(): Record<string, string> {
  return { authorization: `Bearer ${orchestrator.token}` };
}

/** A VNC viewer over the WebSocket. */
function look(job_id: string, query: string): Promise<RfbViewer> {
  const socket = new WebSocket(address(job_id, query), { headers: authorization() });
  return RfbViewer.connect(createWebSocketStream(socket));
}

async function control(
  job_id: string,
  viewer: string,
  order: { take: boolean; force?: boolean },
): Promise<DesktopView> {
  const answer = await orchestrator.fetch(`/jobs/${job_id}/desktop/control`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ viewer, ...order }),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text);
}

/** Runs a command in the sandbox, and gives what it printed. */
async function run(job_id: string, command: string[]): Promise<string> {
  const client = await LiveClient.exec(orchestrator, job_id, { command });
  const { exit_code } = await client.told("exited");
  assert.equal(exit_code, 0, client.all("stderr").toString());
  client.drop();
  return client.all().toString();
}

/** Copies a file of the sandbox into its clipboard, for as long as the result is not disposed of. */
async function copy(job_id: string, path: string): Promise<AsyncDisposable> {
  const command = ["xclip", "-quiet", "-selection", "clipboard", "-i", path];
  const client = await LiveClient.exec(orchestrator, job_id, { command });
  await client.told("opened");
  return { [Symbol.asyncDispose]: async () => client.drop() };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Who took the desktop and who gave it back so far. */
async function changes(job_id: string): Promise<object[]> {
  const events = await orchestrator.allEvents(job_id);
  return events.flatMap((event) => (event.type === "control.changed" ? [event.data] : []));
}

async function openPage(
  page: Page | undefined,
  job_id: string,
  of: TestOrchestrator = orchestrator,
): Promise<Page> {
  assert.ok(page !== undefined);
  const opened = await of.fetch(`/jobs/${job_id}/desktop/open?name=Anna`, { method: "POST" });
  const { url } = (await opened.json()) as { url: string };
  await page.goto(url);
  await page.locator("body[data-line=on]").waitFor();
  return page;
}

/** Runs in the page: whether a large part of the desktop has this colour. */
function hasColour(colour: number): boolean {
  // The browser's own types are not those of this project.
  const { document } = globalThis as unknown as { document: { querySelector(query: string): Canvas | null } };
  const canvas = document.querySelector("#stage canvas");
  const { data } = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
  let found = 0;
  for (let at = 0; at + 2 < data.length; at += 4) {
    const [red = 0, green = 0, blue = 0] = [data[at], data[at + 1], data[at + 2]];
    // Lossy encodings come close to the colour only.
    const distance =
      Math.abs(red - (colour >> 16)) +
      Math.abs(green - ((colour >> 8) & 255)) +
      Math.abs(blue - (colour & 255));
    if (distance < 24) found += 1;
  }
  return found > data.length / 4 / 4;
}

type Canvas = {
  width: number;
  height: number;
  getContext(kind: string): {
    getImageData(x: number, y: number, w: number, h: number): { data: ArrayLike<number> };
  };
};
