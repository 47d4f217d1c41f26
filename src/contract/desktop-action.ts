/** Text that is typed in one go. */
export const TYPED_MAX_CHARS = 10_000;
/** Notches of a wheel that is turned in one go, in each direction. */
export const SCROLL_MAX = 100;
export const DESKTOP_WAIT_MAX_MS = 60_000;
export const URL_MAX_CHARS = 8_000;

export const MOUSE_BUTTONS = ["left", "middle", "right"] as const;
export type MouseButton = (typeof MOUSE_BUTTONS)[number];

/** What an agent does on a desktop. Coordinates are pixels from the top left corner; a wheel turns by notches, positive ones right and down. */
export type DesktopAction =
  | { action: "screenshot"; file: string | null }
  | { action: "click" | "double_click"; x: number; y: number; button: MouseButton }
  | { action: "move"; x: number; y: number }
  | { action: "drag"; x: number; y: number; to_x: number; to_y: number }
  | { action: "scroll"; x: number; y: number; dx: number; dy: number }
  | { action: "type"; text: string }
  | { action: "key"; keys: string }
  | { action: "open"; url: string }
  | { action: "windows" }
  | { action: "focus"; window: string }
  | { action: "wait"; ms: number };

/** The forms of a line, for messages. */
const FORMS: Record<DesktopAction["action"], string> = {
  screenshot: "screenshot [file.png]",
  click: "click X Y [left|middle|right]",
  double_click: "double_click X Y [left|middle|right]",
  move: "move X Y",
  drag: "drag X1 Y1 X2 Y2",
  scroll: "scroll X Y DX DY",
  type: "type TEXT",
  key: "key ctrl+l",
  open: "open URL",
  windows: "windows",
  focus: "focus TITLE",
  wait: "wait MS",
};

/** The action that one line of a `desktop` fence stands for; a sentence about what is wrong with it. */
export function parseDesktopLine(line: string): DesktopAction | string {
  const [, name = "", rest = ""] = /^\s*(\S+)(?:\s(.*))?$/.exec(line) ?? [];
  if (!isAction(name)) {
    const told = JSON.stringify(name.slice(0, 40));
    return `${told} is no action of the desktop; there are ${Object.keys(FORMS).join(", ")}`;
  }
  return actionOf(name, rest) ?? `it should read \`${FORMS[name]}\``;
}

function isAction(name: string): name is DesktopAction["action"] {
  return Object.hasOwn(FORMS, name);
}

/** Null for what does not fit. */
function actionOf(action: DesktopAction["action"], rest: string): DesktopAction | null {
  const text = rest.trim();
  const words = text === "" ? [] : text.split(/\s+/);
  switch (action) {
    case "screenshot":
      return { action, file: text === "" ? null : text };
    case "windows":
      return text === "" ? { action } : null;
    case "type":
      return rest !== "" && rest.length <= TYPED_MAX_CHARS ? { action, text: rest } : null;
    case "key":
      return words.length > 0 ? { action, keys: text } : null;
    case "open":
      return words.length === 1 && isOpenable(text) ? { action, url: text } : null;
    case "focus":
      return text === "" ? null : { action, window: text };
    case "wait": {
      const ms = wholeNumbers(words, 1)?.[0];
      return ms !== undefined && ms >= 0 && ms <= DESKTOP_WAIT_MAX_MS ? { action, ms } : null;
    }
    case "click":
    case "double_click": {
      const [x, y] = wholeNumbers(words.slice(0, 2), 2) ?? [];
      const button = MOUSE_BUTTONS.find((one) => one === (words[2] ?? "left"));
      if (x === undefined || y === undefined || button === undefined || words.length > 3) return null;
      return { action, x, y, button };
    }
    case "move": {
      const [x, y] = wholeNumbers(words, 2) ?? [];
      return x === undefined || y === undefined ? null : { action, x, y };
    }
    case "drag": {
      const [x = 0, y = 0, to_x = 0, to_y] = wholeNumbers(words, 4) ?? [];
      return to_y === undefined ? null : { action, x, y, to_x, to_y };
    }
    case "scroll": {
      const [x = 0, y = 0, dx = 0, dy] = wholeNumbers(words, 4) ?? [];
      if (dy === undefined || Math.abs(dx) > SCROLL_MAX || Math.abs(dy) > SCROLL_MAX) return null;
      return { action, x, y, dx, dy };
    }
  }
}

/** An option of a browser's command line is no address. */
export function isOpenable(url: string): boolean {
  return /^[^-\s]\S*$/.test(url) && url.length <= URL_MAX_CHARS;
}

/** Whether something on the desktop may be other than before. */
export function changesDesktop({ action }: DesktopAction): boolean {
  return action !== "screenshot" && action !== "windows" && action !== "wait" && action !== "move";
}

/** An action as a line. */
export function desktopLine(action: DesktopAction): string {
  switch (action.action) {
    case "screenshot":
      return action.file === null ? "screenshot" : `screenshot ${action.file}`;
    case "click":
    case "double_click": {
      const button = action.button === "left" ? "" : ` ${action.button}`;
      return `${action.action} ${action.x} ${action.y}${button}`;
    }
    case "move":
      return `move ${action.x} ${action.y}`;
    case "drag":
      return `drag ${action.x} ${action.y} ${action.to_x} ${action.to_y}`;
    case "scroll":
      return `scroll ${action.x} ${action.y} ${action.dx} ${action.dy}`;
    case "type":
      return `type ${action.text}`;
    case "key":
      return `key ${action.keys}`;
    case "open":
      return `open ${action.url}`;
    case "windows":
      return "windows";
    case "focus":
      return `focus ${action.window}`;
    case "wait":
      return `wait ${action.ms}`;
  }
}

function wholeNumbers(words: readonly string[], count: number): number[] | null {
  if (words.length !== count || !words.every((word) => /^-?\d{1,6}$/.test(word))) return null;
  return words.map(Number);
}
