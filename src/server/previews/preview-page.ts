import { AppError } from "../../contract/errors.ts";
import type { PreviewTarget } from "./preview-kind.ts";

/** What a person sees where a preview cannot be shown. */
export type PreviewPage = {
  status: number;
  title: string;
  /** Sentences in plain text. */
  lines: string[];
  /** The page asks again by itself. */
  retries: boolean;
};

const RETRY_S = 2;

/** The page as HTML, and the headers that it needs beside those of every preview: it loads nothing and runs nothing. */
export function render(page: PreviewPage): { body: string; headers: Record<string, string> } {
  const paragraphs = page.lines.map((line) => `<p>${escaped(line)}</p>`).join("\n");
  const body = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(page.title)}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem; color: #1d2733; background: #f6f8fa; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; font-weight: 600 }
@media (prefers-color-scheme: dark) { body { color: #d7dee7; background: #12171d } }
</style>
<h1>${escaped(page.title)}</h1>
${paragraphs}
</html>
`;
  return {
    body,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-length": String(Buffer.byteLength(body)),
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      ...(page.retries ? { refresh: String(RETRY_S) } : {}),
    },
  };
}

/** What such a page loads: its own style. */
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

export const GONE: PreviewPage = {
  status: 404,
  title: "This preview has ended, or never was",
  lines: ["The address was good for one job, and that job has ended. What it made is in its ZIP."],
  retries: false,
};

export function lockedPage(target: PreviewTarget, used_up: boolean): PreviewPage {
  const what = target.kind === "port" ? String(target.port) : target.kind;
  const again = used_up ? "The address that you used was good once, and for half a minute. " : "";
  return {
    status: 401,
    title: "This preview is locked",
    lines: [`${again}To open it, run: sealwork open ID ${what}`, "A tab and a frame each need to be opened."],
    retries: false,
  };
}

export function refusedPage(why: string): PreviewPage {
  return { status: 403, title: "This request was refused", lines: [why], retries: false };
}

/** `listening` are the ports that listen inside, where it helps to know them. */
export function failedPage(error: unknown, listening: readonly number[] | null): PreviewPage {
  if (!(error instanceof AppError)) {
    const lines = ["The server has a fault. Its log has the detail."];
    return { status: 500, title: "This preview cannot be shown", lines, retries: false };
  }
  const lines = [error.message];
  if (error.hint !== undefined) lines.push(error.hint);
  if (listening !== null)
    lines.push(
      listening.length === 0
        ? "Nothing listens in the sandbox at the moment."
        : `These ports listen in the sandbox: ${listening.join(", ")}.`,
    );
  const retries = error.retryable;
  if (retries) lines.push("This page asks again by itself.");
  return { status: error.status, title: "This preview cannot be shown", lines, retries };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
