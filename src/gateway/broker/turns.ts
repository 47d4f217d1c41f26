import { setImmediate as turn } from "node:timers/promises";

let last: Promise<void> = Promise.resolve();

/** Resolves in a turn of the event loop of its own: of what takes long, each is done in another, and all else goes on in between. */
export function nextTurn(): Promise<void> {
  last = last.then(() => turn());
  return last;
}
