import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { Blobs } from "../../blobs.ts";
import { StopCause, ToolProcesses } from "../../process/tool-processes.ts";
import { Captures } from "../../surfaces/desktop/captures.ts";
import type { Desktop } from "../../surfaces/desktop/desktop.ts";
import { DriverGate } from "../../surfaces/desktop/driver-gate.ts";
import { Keyboard } from "../../surfaces/desktop/keyboard.ts";
import { painted, rfbServer } from "../../surfaces/desktop/rfb-server.fake.ts";
import { Screen } from "../../surfaces/desktop/screen.ts";
import { XPrograms } from "../../surfaces/desktop/x-programs.ts";
import type { AgentTool } from "../tool.ts";
import { desktopTool } from "./desktop-tool.ts";

/** A little wider than what a model is shown, so that its picture is smaller. */
const WIDE = { width: 1600, height: 50 };
let folder: string;
let count = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sealwork-desktop-tool-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** The tool on a screen that shows one colour and takes what it is sent. */
async function place(size = WIDE) {
  const at = join(folder, `${++count}`);
  const server = await rfbServer(at, size);
  const answer = async (): Promise<never> => {
    for (;;) {
      const { incremental } = await server.asked();
      if (!incremental) server.update(painted({ x: 0, y: 0, ...size }, 200));
    }
  };
  answer().catch(() => undefined);
  const processes = new ToolProcesses({ reaper_path: "/nowhere", folder, oomKills: async () => null });
  const screen = new Screen({ socket_path: at, use: async () => ({ [Symbol.dispose]: () => undefined }) });
  const events: RunnerEventBody[] = [];
  const emit = async (body: RunnerEventBody): Promise<void> => void events.push(body);
  const blobs = new Blobs({ folder: join(folder, `blobs-${count}`) });
  const programs = new XPrograms({ processes, home: folder, env: {} });
  const gate = new DriverGate();
  const hands: Desktop["hands"] = {
    gate,
    screen,
    captures: new Captures({ screen, blobs, emit, running: () => true }),
    keyboard: new Keyboard(programs),
    programs,
  };
  const unused = async (): Promise<never> => {
    throw new Error("The tool has no use for it.");
  };
  const desktop: Desktop = {
    hands,
    ready: unused,
    use: unused,
    connect: unused,
    screen: unused,
    control: unused,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const tool: AgentTool = desktopTool(async () => desktop);
  let output = "";
  return {
    tool,
    gate,
    server,
    events,
    output: () => output,
    call(input: object, signal = new AbortController().signal) {
      return tool.run(tool.input.parse(input), {
        number: 3,
        signal,
        output: async (_stream, chunk) => {
          output += chunk.toString();
        },
        display: async () => undefined,
        fileChanged: async () => undefined,
      });
    },
    async [Symbol.asyncDispose]() {
      screen[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      await processes[Symbol.asyncDispose]();
    },
  };
}

test("a large screen is shown smaller, and coordinates of the picture hit what they show", async () => {
  await using at = await place();
  const shot = await at.call({ action: "screenshot" });
  assert.equal(shot.exit_code, 0);
  assert.match(shot.for_model, /1280×40: the screen of 1600×50 made smaller/);
  const [image] = shot.images ?? [];
  const png = Buffer.from(image?.base64 ?? "", "base64");
  assert.deepEqual([image?.mime, png.readUInt32BE(16), png.readUInt32BE(20)], ["image/png", 1280, 40]);
  await at.call({ action: "click", x: 1279, y: 39, button: "right" });
  assert.deepEqual(at.server.input, ["pointer 1599 49 0", "pointer 1599 49 4", "pointer 1599 49 0"]);
  const captured = at.events.map((event) => event.type === "screen.captured" && event.data);
  assert.deepEqual(
    captured.map((data) => data && [data.width, data.height, data.step]),
    [
      [1600, 50, 3],
      [1600, 50, 3],
    ],
  );
});

test("while a person drives, an action waits; afterwards it is not done but the screen is shown, because nothing may be where it was", async () => {
  await using at = await place({ width: 60, height: 40 });
  await at.call({ action: "screenshot" });
  at.gate.hold("Anna");
  const clicked = at.call({ action: "click", x: 1, y: 1 });
  while (at.output() === "") await new Promise(setImmediate);
  assert.equal(at.output(), "Waiting: Anna drives the desktop.\n");
  at.gate.hold(null);
  const told = await clicked;
  assert.equal(told.exit_code, 1);
  assert.match(told.for_model, /Anna drove the desktop .* It was not done/);
  assert.equal(told.images?.length, 1);
  assert.deepEqual(at.server.input, []);
  assert.equal((await at.call({ action: "click", x: 1, y: 1 })).exit_code, 0);
  at.gate.hold("Ben");
  at.gate.hold(null);
  assert.match((await at.call({ action: "type", text: "x" })).for_model, /A person drove the desktop since/);
});

test("who waits for a person is stopped with the job", async () => {
  await using at = await place({ width: 60, height: 40 });
  at.gate.hold("Anna");
  const job = new AbortController();
  const waiting = at.call({ action: "screenshot" }, job.signal);
  while (at.output() === "") await new Promise(setImmediate);
  job.abort(new StopCause("timed_out"));
  assert.equal((await waiting).cause, "timed_out");
});

test("text is typed by keys, and wheels and drags are what a mouse sends", async () => {
  await using at = await place({ width: 60, height: 40 });
  const { input } = at.server;
  await at.call({ action: "type", text: "A\n" });
  assert.deepEqual(input.splice(0), ["key 65 down", "key 65 up", "key 65293 down", "key 65293 up"]);
  await at.call({ action: "key", keys: "ctrl+a delete" });
  assert.deepEqual(input.splice(0), [
    "key 65507 down",
    "key 97 down",
    "key 97 up",
    "key 65507 up",
    "key 65535 down",
    "key 65535 up",
  ]);
  await at.call({ action: "scroll", x: 5, y: 6, dy: -2, dx: 1 });
  assert.deepEqual(
    input.splice(0).map((line) => line.replace("pointer 5 6 ", "")),
    ["0", "8", "0", "8", "0", "64", "0"],
  );
  await at.call({ action: "drag", x: 0, y: 0, to_x: 12, to_y: 24 });
  const dragged = input.splice(0);
  assert.deepEqual(dragged.slice(0, 3), ["pointer 0 0 0", "pointer 0 0 1", "pointer 1 2 1"]);
  assert.deepEqual(dragged.slice(-2), ["pointer 12 24 1", "pointer 12 24 0"]);
});

test("what an action lacks is said, and what is not on the screen is not touched", async () => {
  await using at = await place({ width: 60, height: 40 });
  const { tool } = at;
  const lacking: [object, RegExp][] = [
    [{ action: "click", x: 1 }, /needs x and y/],
    [{ action: "drag", x: 1, y: 1 }, /needs to_x and to_y/],
    [{ action: "scroll", x: 1, y: 1 }, /needs dx or dy/],
    [{ action: "type" }, /needs text/],
    [{ action: "key" }, /needs keys/],
    [{ action: "open_url", url: "--headless" }, /needs a url/],
    [{ action: "focus_window" }, /needs a window/],
  ];
  for (const [input, message] of lacking) assert.throws(() => tool.input.parse(input), message);
  const outside = await at.call({ action: "click", x: 60, y: 1 });
  assert.equal(outside.exit_code, 1);
  assert.match(outside.message ?? "", /60, 1 is not on the screen, which has 60×40/);
  assert.match((await at.call({ action: "key", keys: "hyper" })).message ?? "", /There is no key "hyper"/);
  assert.deepEqual(at.server.input, []);
  const changes = (action: string) =>
    tool.changes(tool.input.parse({ action, x: 1, y: 1, text: "t", keys: "a", url: "u" }));
  assert.deepEqual(["screenshot", "list_windows", "wait", "click", "type", "key", "open_url"].map(changes), [
    false,
    false,
    false,
    true,
    true,
    true,
    true,
  ]);
});

test("a desktop that ends under the tool is said to have ended", async () => {
  await using at = await place({ width: 60, height: 40 });
  await at.call({ action: "screenshot" });
  const waiting = at.call({ action: "wait", ms: 50 });
  at.server.drop();
  const ended = await waiting;
  assert.equal(ended.exit_code, 1);
  assert.match(ended.for_model, /The desktop is gone/);
});
