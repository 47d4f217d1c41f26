import { AppError } from "../contract/errors.ts";
import type { Clock } from "./clock.ts";
import { DeadlinePassed, withDeadline } from "./deadline.ts";
import type { SandboxLink } from "./link.ts";
import type { Sandbox } from "./sandbox.ts";

/** A link that is gone gets this long to come back before the engine is asked, each time. */
export const RELINK_MS = 2_000;
/** Without a link and without an answer of the engine, the sandbox counts as dead after this. */
const UNREACHABLE_MS = 5_000;
/** A sandbox that runs, as the engine says, but does not link counts as dead after this. */
const UNLINKED_MS = 60_000;

/** A new link, or why the sandbox counts as dead; `why` is null when the engine says so, and `sandbox.status` has the details. */
export type Relinked = { link: SandboxLink } | { link: null; why: string | null };

/** Waits for a lost link to come back, and finds out meanwhile whether its sandbox still lives. Rejects when `stop` aborts. */
export async function relink(
  sandbox: Sandbox,
  secret: string | null,
  clock: Clock,
  stop: AbortSignal,
): Promise<Relinked> {
  const limit = { what: "Linking again", ms: RELINK_MS };
  for (let waited = RELINK_MS; ; waited += RELINK_MS) {
    try {
      return { link: await withDeadline(clock, limit, stop, (signal) => sandbox.connect(secret, signal)) };
    } catch (error) {
      if (stop.aborted || !(sandbox.gone.aborted || error instanceof DeadlinePassed)) throw error;
    }
    const answers = sandbox.gone.aborted || (await engineAnswers(sandbox, stop));
    if (sandbox.gone.aborted) return { link: null, why: null };
    if (!answers && waited >= UNREACHABLE_MS)
      return { link: null, why: "The sandbox's link was lost and the container engine does not answer." };
    if (waited >= UNLINKED_MS)
      return { link: null, why: "The sandbox runs, but its runner does not answer any more." };
  }
}

async function engineAnswers(sandbox: Sandbox, stop: AbortSignal): Promise<boolean> {
  try {
    await sandbox.look(stop);
    return true;
  } catch (error) {
    const away = error instanceof AppError && error.code === "engine_unreachable";
    if (stop.aborted || !(away || error instanceof DeadlinePassed)) throw error;
    return false;
  }
}
