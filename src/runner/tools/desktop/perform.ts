import { setTimeout as sleep } from "node:timers/promises";
import type { DesktopAction, MouseButton } from "../../../contract/desktop-action.ts";
import type { DesktopHands } from "../../surfaces/desktop/desktop.ts";
import { chordOf } from "../../surfaces/desktop/keysyms.ts";
import { BROWSER } from "../../surfaces/desktop/programs.ts";
import type { RfbClient } from "../../surfaces/desktop/rfb-client.ts";
import { settled } from "../../surfaces/desktop/screen.ts";

/** Buttons as bits of an RFB pointer message (RFC 6143, 7.5.5); a wheel's notches are buttons too. */
const BUTTONS: Record<MouseButton, number> = { left: 1, middle: 2, right: 4 };
const WHEEL = { up: 8, down: 16, left: 32, right: 64 };
/** Programs take what follows faster than a hand could do it for one movement. */
const HAND_MS = 30;
const DRAG_STEPS = 12;
/** A browser that starts shows its window within this time, one that runs a page of another title within the second; else it is looked at as it is. */
const WINDOW_MAX_MS = 10_000;
const TITLE_MAX_MS = 2_000;
const BROWSER_TITLE = / Chromium$/;
const PAGE_MAX_MS = 4_000;
const WINDOWS_MAX = 200;

/** What came of an action: `text` is for whoever asked, `problem` why it was not done. */
export type Performed = { problem: string | null; text: string };

export type Stage = { hands: DesktopHands; client: RfbClient; signal: AbortSignal };

/** Carries one action out and waits until the screen has settled. Coordinates are those of the screen. Rejects with the signal's reason. */
export async function perform(action: DesktopAction, stage: Stage): Promise<Performed> {
  const { client, signal } = stage;
  const outside = outsideOf(action, client.picture);
  if (outside !== null) return { problem: outside, text: "" };
  const performed = await carryOut(action, stage);
  if (performed.problem === null && action.action !== "wait") await settled(client, signal);
  if (client.closed)
    return { problem: "The desktop ended meanwhile; the next action starts it again.", text: "" };
  return performed;
}

async function carryOut(action: DesktopAction, stage: Stage): Promise<Performed> {
  const { hands, client, signal } = stage;
  switch (action.action) {
    case "screenshot":
      await client.refresh(signal);
      return DONE;
    case "click":
      await click(stage, action, BUTTONS[action.button]);
      return DONE;
    case "double_click":
      await click(stage, action, BUTTONS[action.button]);
      await click(stage, action, BUTTONS[action.button]);
      return DONE;
    case "move":
      client.pointer(action.x, action.y, 0);
      return DONE;
    case "drag":
      await drag(stage, action);
      return DONE;
    case "scroll":
      await scroll(stage, action);
      return DONE;
    case "type": {
      const problem = await hands.keyboard.type(client, action.text, signal);
      return { problem, text: "" };
    }
    case "key":
      return press(stage, action.keys);
    case "open":
      return open(stage, action.url);
    case "windows":
      return listWindows(stage);
    case "focus":
      return focus(stage, action.window);
    case "wait":
      await sleep(action.ms, undefined, { signal });
      await client.refresh(signal);
      return DONE;
  }
}

const DONE: Performed = { problem: null, text: "" };

function outsideOf(
  action: DesktopAction,
  { width, height }: { width: number; height: number },
): string | null {
  const points: [number, number][] = "x" in action ? [[action.x, action.y]] : [];
  if ("to_x" in action) points.push([action.to_x, action.to_y]);
  const wrong = points.find(([x, y]) => x < 0 || y < 0 || x >= width || y >= height);
  if (wrong === undefined) return null;
  return `The point ${wrong.join(", ")} is not on the screen, which has ${width}×${height} pixels.`;
}

type Point = { x: number; y: number };

async function click({ client, signal }: Stage, { x, y }: Point, button: number): Promise<void> {
  client.pointer(x, y, 0);
  await sleep(HAND_MS, undefined, { signal });
  client.pointer(x, y, button);
  client.pointer(x, y, 0);
}

async function drag(
  { client, signal }: Stage,
  { x, y, to_x, to_y }: Point & { to_x: number; to_y: number },
): Promise<void> {
  client.pointer(x, y, 0);
  await sleep(HAND_MS, undefined, { signal });
  client.pointer(x, y, BUTTONS.left);
  try {
    for (let n = 1; n <= DRAG_STEPS; n++) {
      await sleep(HAND_MS / 2, undefined, { signal });
      const part = n / DRAG_STEPS;
      client.pointer(Math.round(x + (to_x - x) * part), Math.round(y + (to_y - y) * part), BUTTONS.left);
    }
    await sleep(HAND_MS, undefined, { signal });
  } finally {
    client.pointer(to_x, to_y, 0);
  }
}

async function scroll(
  { client, signal }: Stage,
  { x, y, dx, dy }: Point & { dx: number; dy: number },
): Promise<void> {
  client.pointer(x, y, 0);
  const turn = async (notches: number, button: number): Promise<void> => {
    for (let n = 0; n < notches; n++) {
      await sleep(HAND_MS / 3, undefined, { signal });
      client.pointer(x, y, button);
      client.pointer(x, y, 0);
    }
  };
  await turn(Math.abs(dy), dy > 0 ? WHEEL.down : WHEEL.up);
  await turn(Math.abs(dx), dx > 0 ? WHEEL.right : WHEEL.left);
}

/** Several chords are pressed one after the other: `ctrl+a delete`. */
async function press({ hands, client, signal }: Stage, keys: string): Promise<Performed> {
  const chords = keys.trim().split(/\s+/).map(chordOf);
  const wrong = chords.find((chord) => typeof chord === "string");
  if (wrong !== undefined) return { problem: `${wrong}`, text: "" };
  for (const chord of chords) {
    if (typeof chord === "string") continue;
    hands.keyboard.press(client, chord);
    await sleep(HAND_MS, undefined, { signal });
  }
  return DONE;
}

async function open({ hands, client, signal }: Stage, url: string): Promise<Performed> {
  const before = await windows(hands, signal);
  const { ok, output } = await hands.programs.run([BROWSER, url], signal);
  if (!ok) return { problem: `The browser could not be started: ${output}`, text: "" };
  const runs = before.some(({ title }) => BROWSER_TITLE.test(title));
  const until = performance.now() + (runs ? TITLE_MAX_MS : WINDOW_MAX_MS);
  const isNew = ({ id, title }: Window): boolean =>
    !before.some((one) => one.id === id && one.title === title);
  while (performance.now() < until && !(await windows(hands, signal)).some(isNew))
    await sleep(HAND_MS * 5, undefined, { signal });
  await settled(client, signal, PAGE_MAX_MS);
  return DONE;
}

type Window = { id: string; title: string; text: string };

async function windows(hands: DesktopHands, signal: AbortSignal): Promise<Window[]> {
  const { output } = await hands.programs.run(["wmctrl", "-lG"], signal);
  const lines = output.matchAll(/^(0x[0-9a-f]+) +(-?\d+) +(-?\d+) +(-?\d+) +(\d+) +(\d+) +\S+ ?(.*)$/gm);
  return [...lines].slice(0, WINDOWS_MAX).map(([, id = "", , x, y, width, height, title = ""]) => {
    return { id, title, text: `${id} ${width}×${height} at ${x},${y}: ${title}` };
  });
}

async function listWindows({ hands, signal }: Stage): Promise<Performed> {
  const found = await windows(hands, signal);
  const text = found.map((one) => one.text).join("\n");
  return { problem: null, text: text === "" ? "There are no windows." : text };
}

/** By its id, or by a part of its title. */
async function focus({ hands, signal }: Stage, wanted: string): Promise<Performed> {
  const found = await windows(hands, signal);
  const part = wanted.toLowerCase();
  const window =
    found.find(({ id }) => id === part) ?? found.find(({ title }) => title.toLowerCase().includes(part));
  if (window === undefined) {
    const list = found.map(({ text }) => text).join("\n");
    return {
      problem: `No window is called ${JSON.stringify(wanted.slice(0, 100))}. ${list}`.trim(),
      text: "",
    };
  }
  const { ok, output } = await hands.programs.run(["wmctrl", "-ia", window.id], signal);
  return { problem: ok ? null : output, text: "" };
}
