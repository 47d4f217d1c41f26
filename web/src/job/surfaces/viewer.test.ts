import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ViewerId, ViewerName } from "../../../../src/contract/desktop-api.ts";
import { setViewerName, thisViewer, viewerName } from "./viewer.ts";

/** What a browser keeps, as far as it is used here. */
function emptyStorage(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

const STORAGES = ["localStorage", "sessionStorage"] as const;
const before = STORAGES.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
beforeEach(() => {
  for (const name of STORAGES)
    Object.defineProperty(globalThis, name, { value: emptyStorage(), configurable: true });
});
afterEach(() => {
  for (const [index, name] of STORAGES.entries()) {
    const old = before[index];
    if (old === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, old);
  }
});

test("whatever somebody calls themselves, the server takes it as a name", () => {
  for (const name of [
    "Anna",
    "",
    "   ",
    "two\nlines",
    "turned \u202e round\u2066",
    "x".repeat(5_000),
    "\u2028",
  ]) {
    setViewerName(name);
    assert.equal(ViewerName.safeParse(viewerName()).success, true, JSON.stringify(name));
  }
  setViewerName("x".repeat(5_000));
  assert.equal(ViewerName.safeParse(`${viewerName()}x`).success, false, "as long as it takes");
});

test("a tab is the same viewer after a reload, and another tab another one", () => {
  const { viewer } = thisViewer();
  assert.equal(ViewerId.safeParse(viewer).success, true);
  assert.equal(thisViewer().viewer, viewer);
  sessionStorage.removeItem("sealwork.viewer");
  assert.notEqual(thisViewer().viewer, viewer);
});
