import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupted } from "./context.ts";
import { pause } from "./pause.ts";

test("a pause that Ctrl-C ends rejects with what Ctrl-C means, before it began and during it", async () => {
  const reason = new Interrupted();
  const before = AbortSignal.abort(reason);
  await assert.rejects(pause(60_000, before), (error) => error === reason);
  const during = new AbortController();
  const paused = pause(60_000, during.signal);
  during.abort(reason);
  await assert.rejects(paused, (error) => error === reason);
});
