import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { waitBefore } from "../api/wait-before.ts";

/** Failures, while the server is away, until the page says that it cannot be shown: about half an hour of them. */
const FAILURES_MAX = 450;
/** Failures in a row while it answers: one that is about to stop, or has just begun, answers one request and not the next. */
const ANSWERED_MAX = 5;

/** A component of a module that is loaded when it is first shown. */
export function lazyPart<Name extends string, Props>(
  load: () => Promise<Record<Name, ComponentType<Props>>>,
  name: Name,
): LazyExoticComponent<ComponentType<Props>> {
  return lazy(async () => ({ default: (await loadPart(load))[name] }));
}

/**
 * Loads a part of the page that comes when it is first shown. While the server is away it is tried again, so that what was asked for comes
 * with the server; what is still missing although the server answers fails.
 */
export async function loadPart<T>(
  load: () => Promise<T>,
  { answers = serverAnswers, wait = later } = {},
): Promise<T> {
  let answered = 0;
  for (let failures = 1; ; failures += 1)
    try {
      return await load();
    } catch (error) {
      answered = (await answers()) ? answered + 1 : 0;
      if (answered === ANSWERED_MAX || failures === FAILURES_MAX) throw error;
      await wait(waitBefore((answered || failures) - 1));
    }
}

async function serverAnswers(): Promise<boolean> {
  try {
    await fetch("/settings", { headers: { accept: "text/html" } });
    return true;
  } catch {
    return false;
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
