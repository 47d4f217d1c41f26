import { useSyncExternalStore } from "react";
import type { Feed } from "../feed/feed.ts";

/** The scripts of the build, whose names change with their content. */
const SCRIPT = /\bsrc="(\/assets\/[\w.-]+\.js)"/;

const listeners = new Set<() => void>();
let newer = false;

/** Whether the server has another dashboard by now than this page is of. */
export function useIsNewerPage(): boolean {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    () => newer,
  );
}

/** Looks whenever the server was lost and is back: it may have been upgraded; and when a part of the page is no longer there to be loaded. */
export function watchForNewerPage(feed: Pick<Feed, "onState">): void {
  let lost = false;
  feed.onState(({ kind }) => {
    if (kind === "live" && lost) void compare();
    lost = kind === "lost";
  });
  addEventListener("vite:preloadError", () => void compare());
}

async function compare(): Promise<void> {
  const own = document.querySelector<HTMLScriptElement>('script[type="module"][src]');
  if (own === null || newer) return;
  try {
    const answer = await fetch("/settings", { headers: { accept: "text/html" } });
    const [, served] = SCRIPT.exec(await answer.text()) ?? [];
    newer = served !== undefined && served !== new URL(own.src).pathname;
  } catch {
    // The server went away again; it is asked when it is back.
  }
  if (newer) for (const listener of listeners) listener();
}
