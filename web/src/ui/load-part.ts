const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** About half an hour; then the page says that it cannot be shown. */
const TRIES_MAX = 180;

/**
 * Loads a part of the page that comes when it is first shown. While the server is away it is tried again, so that what was asked for comes
 * with the server; what is missing although the server answers fails.
 */
export async function loadPart<T>(
  load: () => Promise<T>,
  { answers = serverAnswers, wait = later } = {},
): Promise<T> {
  let answered = false;
  for (let tries = 1; ; tries += 1)
    try {
      return await load();
    } catch (error) {
      if (answered || tries === TRIES_MAX) throw error;
      answered = await answers();
      if (!answered) await wait(Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LONGEST_WAIT_MS));
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
