import assert from "node:assert/strict";
import { test } from "node:test";
import { type DesktopAction, desktopLine, parseDesktopLine, TYPED_MAX_CHARS } from "./desktop-action.ts";

const LINES: [string, DesktopAction][] = [
  ["click 200 340", { action: "click", x: 200, y: 340, button: "left" }],
  ["click 1 2 right", { action: "click", x: 1, y: 2, button: "right" }],
  ["double_click 5 6", { action: "double_click", x: 5, y: 6, button: "left" }],
  ["move 0 0", { action: "move", x: 0, y: 0 }],
  ["drag 1 2 3 4", { action: "drag", x: 1, y: 2, to_x: 3, to_y: 4 }],
  ["scroll 10 20 0 -3", { action: "scroll", x: 10, y: 20, dx: 0, dy: -3 }],
  ["type hello  world ", { action: "type", text: "hello  world " }],
  ["key ctrl+shift+t", { action: "key", keys: "ctrl+shift+t" }],
  ["open http://localhost:5173/?a=b", { action: "open", url: "http://localhost:5173/?a=b" }],
  ["windows", { action: "windows" }],
  ["focus My Editor", { action: "focus", window: "My Editor" }],
  ["wait 500", { action: "wait", ms: 500 }],
  ["screenshot", { action: "screenshot", file: null }],
  ["screenshot shots/one two.png", { action: "screenshot", file: "shots/one two.png" }],
];

test("each action of the desktop is a line, there and back", () => {
  for (const [line, action] of LINES) {
    assert.deepEqual(parseDesktopLine(line), action);
    assert.equal(desktopLine(action), line);
  }
  assert.deepEqual(parseDesktopLine("  click  7   8  "), { action: "click", x: 7, y: 8, button: "left" });
});

test("a line that is none says what it should read", () => {
  const wrong: [string, RegExp][] = [
    ["clack 1 2", /"clack" is no action of the desktop; there are screenshot, click/],
    ["constructor", /is no action/],
    ["click 1", /`click X Y \[left\|middle\|right\]`/],
    ["click 1 2 3 4", /`click/],
    ["click 1 2 up", /`click/],
    ["click a b", /`click/],
    ["click 1.5 2", /`click/],
    ["drag 1 2 3", /`drag X1 Y1 X2 Y2`/],
    ["scroll 1 2 3 9999", /`scroll X Y DX DY`/],
    ["type", /`type TEXT`/],
    [`type ${"x".repeat(TYPED_MAX_CHARS + 1)}`, /`type TEXT`/],
    ["open --remote-debugging-port=1", /`open URL`/],
    ["open a b", /`open URL`/],
    ["wait 99999999", /`wait MS`/],
    ["wait -1", /`wait MS`/],
    ["windows all", /`windows`/],
    ["key", /`key/],
    ["focus", /`focus TITLE`/],
  ];
  for (const [line, message] of wrong) {
    const parsed = parseDesktopLine(line);
    assert.ok(typeof parsed === "string", line);
    assert.match(parsed, message);
  }
});
