import { z } from "zod";
import {
  changesDesktop,
  DESKTOP_WAIT_MAX_MS,
  type DesktopAction,
  desktopLine,
  isOpenable,
  MOUSE_BUTTONS,
  SCROLL_MAX,
  TYPED_MAX_CHARS,
  URL_MAX_CHARS,
} from "../../../contract/desktop-action.ts";
import { firstLine } from "../../event-text.ts";
import type { Desktop } from "../../surfaces/desktop/desktop.ts";
import { copyOf, type Picture } from "../../surfaces/desktop/framebuffer.ts";
import { pngOf } from "../../surfaces/desktop/png.ts";
import { scaled, scaleToFit } from "../../surfaces/desktop/scale.ts";
import { done, refused } from "../outcome.ts";
import type { AgentTool, ToolOutcome } from "../tool.ts";
import { perform, type Stage } from "./perform.ts";
import { onStage } from "./stage.ts";

/** What a model is shown at most: larger pictures are made smaller by its provider, and its coordinates are off then. */
const SHOWN_MAX = { width: 1280, height: 800 };
const SHOWN_MAX_BYTES = 2 * 1024 * 1024;
/** A picture that takes too many bytes is shown so much smaller. */
const SMALLER = 0.7;

const coordinate = z.int().min(0).max(20_000).optional();
const notches = z.int().min(-SCROLL_MAX).max(SCROLL_MAX).optional();

/** One flat object: not every provider takes a choice between several. */
const Input = z.object({
  action: z.enum([
    "screenshot",
    "click",
    "double_click",
    "move",
    "drag",
    "scroll",
    "type",
    "key",
    "open_url",
    "list_windows",
    "focus_window",
    "wait",
  ]),
  x: coordinate.describe(
    "click, double_click, move, drag, scroll: pixels from the left of the last screenshot.",
  ),
  y: coordinate.describe("Pixels from its top."),
  to_x: coordinate.describe("drag: where to."),
  to_y: coordinate.describe("drag: where to."),
  button: z.enum(MOUSE_BUTTONS).default("left").describe("click, double_click."),
  dx: notches.describe("scroll: notches to the right, negative to the left."),
  dy: notches.describe("scroll: notches down, negative up."),
  text: z
    .string()
    .min(1)
    .max(TYPED_MAX_CHARS)
    .optional()
    .describe("type: what to type where the focus is; line ends press Enter."),
  keys: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("key: keys to press together, such as ctrl+shift+t; several after each other with spaces."),
  url: z.string().min(1).max(URL_MAX_CHARS).optional().describe("open_url: opened in the browser."),
  window: z.string().min(1).max(500).optional().describe("focus_window: part of its title, or its id."),
  ms: z.int().min(0).max(DESKTOP_WAIT_MAX_MS).optional().describe("wait: milliseconds."),
});
const DesktopInput = Input.superRefine((input, issues) => {
  const action = actionOf(input);
  if (typeof action === "string") issues.addIssue(action);
});
type DesktopInput = z.infer<typeof Input>;

/** What the model saw last. */
type Shown = { width: number; height: number; scale: number; drives: number };

/** Looks at the desktop and acts on it; each result is a new screenshot. */
export function desktopTool(open: () => Promise<Desktop>): AgentTool<DesktopInput> {
  let shown: Shown | null = null;
  return {
    name: "desktop",
    description: `Acts on the desktop of your machine, which people can watch, and shows you the screen after that: programs with windows, and a browser (open_url; pages that you serve on localhost too). Start other programs from the shell (they find the display; end the command with &). Coordinates are pixels of the last screenshot. Keyboard keys go to the focused window: click into it first. Prefer the shell and files for what needs no window.`,
    input: DesktopInput,
    step: "desktop",
    changes: (input) => changesDesktop(given(input)),
    describe(input) {
      const line = desktopLine(given(input));
      return { title: firstLine(line), code: line };
    },
    run(input, context) {
      return onStage(open, context, async (stage, waited_for) => {
        const begun = performance.now();
        const stale = staleness(shown, stage, waited_for);
        const action = given(input);
        const shows = async (what: string, ok: boolean): Promise<ToolOutcome> => {
          const picture = copyOf(stage.client.picture);
          const png = await stage.hands.captures.ofStep(picture, context.number);
          const { image, scale, text } = await forModel(picture, png);
          const { width, height } = picture;
          shown = { width, height, scale, drives: stage.hands.gate.drives };
          const outcome = ok ? done(`${what}\n${text}`, begun) : refused(what, begun);
          const for_model = ok ? outcome.for_model : `${outcome.for_model}\n${text}`;
          return { ...outcome, for_model, images: [{ mime: "image/png", base64: image.toString("base64") }] };
        };
        if (stale !== null && changesDesktop(action)) {
          await stage.client.refresh(context.signal);
          return shows(`${stale} It was not done: look at the screen as it is now.`, false);
        }
        const performed = await perform(onScreen(action, shown?.scale ?? firstScale(stage)), stage);
        if (performed.text !== "") await context.output("stdout", Buffer.from(`${performed.text}\n`));
        if (stage.client.closed) return refused(performed.problem ?? "The desktop ended.", begun);
        return shows(performed.problem ?? (performed.text || "Done."), performed.problem === null);
      });
    },
  };
}

/** Why an action that was meant for what the model saw last may now meet something else. */
function staleness(shown: Shown | null, { hands, client }: Stage, waited_for: string | null): string | null {
  if (shown === null) return null;
  if (waited_for !== null) return `${waited_for} drove the desktop meanwhile and has given it back.`;
  if (shown.drives !== hands.gate.drives) return "A person drove the desktop since your last screenshot.";
  const { width, height } = client.picture;
  return width === shown.width && height === shown.height ? null : "The screen has another size now.";
}

function firstScale({ client }: Stage): number {
  return scaleToFit(client.picture, SHOWN_MAX);
}

async function forModel(picture: Picture, whole: Buffer) {
  let scale = scaleToFit(picture, SHOWN_MAX);
  let small = scaled(picture, scale);
  let image = scale === 1 ? whole : await pngOf(small);
  while (image.length > SHOWN_MAX_BYTES) {
    scale *= SMALLER;
    small = scaled(picture, scale);
    image = await pngOf(small);
  }
  const size = `${small.width}×${small.height}`;
  const text =
    scale === 1
      ? `Screenshot, ${size}.`
      : `Screenshot, ${size}: the screen of ${picture.width}×${picture.height} made smaller. Coordinates are those of the picture.`;
  return { image, scale, text };
}

/** Coordinates of the picture as those of the screen, in the middle of what the pixel stands for. */
function onScreen(action: DesktopAction, scale: number): DesktopAction {
  if (scale === 1 || !("x" in action)) return action;
  const at = (value: number): number => Math.floor((value + 0.5) / scale);
  const moved = { ...action, x: at(action.x), y: at(action.y) };
  return "to_x" in moved ? { ...moved, to_x: at(moved.to_x), to_y: at(moved.to_y) } : moved;
}

/** What has been validated. */
function given(input: DesktopInput): DesktopAction {
  const action = actionOf(input);
  if (typeof action === "string") throw new Error(action);
  return action;
}

function actionOf(input: DesktopInput): DesktopAction | string {
  const { action, x, y, to_x, to_y, button, dx = 0, dy = 0, text, keys, url, window, ms } = input;
  const missing = (what: string): string => `The action ${action} needs ${what}.`;
  switch (action) {
    case "screenshot":
      return { action, file: null };
    case "list_windows":
      return { action: "windows" };
    case "type":
      return text === undefined ? missing("text") : { action, text };
    case "key":
      return keys === undefined ? missing("keys") : { action, keys };
    case "open_url":
      return url === undefined || !isOpenable(url) ? missing("a url") : { action: "open", url };
    case "focus_window":
      return window === undefined ? missing("a window") : { action: "focus", window };
    case "wait":
      return { action, ms: ms ?? 1000 };
  }
  if (x === undefined || y === undefined) return missing("x and y");
  if (action === "move") return { action, x, y };
  if (action === "scroll") return dx === 0 && dy === 0 ? missing("dx or dy") : { action, x, y, dx, dy };
  if (action === "drag")
    return to_x === undefined || to_y === undefined ? missing("to_x and to_y") : { action, x, y, to_x, to_y };
  return { action, x, y, button };
}
