import picocolors from "picocolors";
import type { Check } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import { type Context, interruptible, print, printJson, remoteClient } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { mayColour } from "../io.ts";
import { paragraph } from "../job-summary.ts";
import { createProgress } from "../progress.ts";
import { plainLine, plainText, textWidth } from "../terminal-text.ts";

export type ServeOptions = { host: string; port?: number; auth: boolean };

/** `serve`: the set-up, then the orchestrator in the foreground until Ctrl-C. */
export async function serve(context: Context, options: ServeOptions): Promise<number> {
  using interrupt = interruptible(context.io);
  using progress = createProgress(context.io);
  if (options.port !== undefined && (options.port < 0 || options.port > 65_535)) {
    throw new AppError({
      code: "usage",
      message: `${options.port} is no port.`,
      hint: "0 to 65535; 0 takes a free one.",
    });
  }
  const wanted = { host: options.host, port: options.port ?? null, no_auth: !options.auth };
  try {
    await context.local.serve(wanted, progress, interrupt.signal);
  } catch (error) {
    // Ctrl-C is how a server in the foreground is meant to end.
    if (!interrupt.signal.aborted || error instanceof AppError) throw error;
  }
  return EXIT.complete;
}

/** `stop`: ends the local orchestrator; its jobs go on in their sandboxes and are found again. */
export async function stop(context: Context): Promise<number> {
  if (remoteClient(context.io) !== null) {
    throw new AppError({
      code: "usage",
      message: "SEALWORK_URL names a server, and `stop` ends only the one of this machine.",
      hint: "Unset SEALWORK_URL, or stop that server where it runs.",
    });
  }
  using interrupt = interruptible(context.io);
  const outcome = await context.local.stop(interrupt.signal);
  if (context.json) await printJson(context, outcome);
  else if (outcome.stopped) await print(context, `Stopped the server (process ${outcome.pid}).`);
  else await print(context, "No server was running.");
  return EXIT.complete;
}

/** `setup`: gets engine and image ready, and starts nothing. */
export async function setup(context: Context): Promise<number> {
  using interrupt = interruptible(context.io);
  using progress = createProgress(context.io);
  await context.local.setup(progress, interrupt.signal);
  progress.done();
  if (context.json) await printJson(context, { ready: true });
  else await print(context, "Everything is set up.");
  return EXIT.complete;
}

/** `doctor`: what works and how to mend what does not; exit code 5 when something essential fails. */
export async function doctor(context: Context): Promise<number> {
  using interrupt = interruptible(context.io);
  const checks = await remoteChecks(context, interrupt.signal);
  const ok = checks.every((check) => check.state !== "failed");
  if (context.json) await printJson(context, { ok, checks });
  else await print(context, checkLines(context, checks).join("\n"));
  return ok ? EXIT.complete : EXIT.unreachable;
}

async function remoteChecks(context: Context, signal: AbortSignal): Promise<Check[]> {
  const remote = remoteClient(context.io);
  if (remote === null) return context.local.doctor(signal);
  try {
    const { checks } = await remote.doctor(signal);
    return [{ name: "server", state: "ok", message: `answers at ${remote.url}`, hint: null }, ...checks];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ name: "server", state: "failed", message: error.message, hint: error.hint ?? null }];
  }
}

function checkLines(context: Context, checks: Check[]): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const marks = { ok: colours.green("✓"), warning: colours.yellow("!"), failed: colours.red("✗") };
  const width = Math.max(0, ...checks.map((check) => textWidth(plainLine(check.name))));
  return checks.flatMap((check) => {
    const name = plainLine(check.name);
    const mark = `${marks[check.state]} ${colours.bold(name + " ".repeat(width - textWidth(name)))}  `;
    const lines = paragraph(context.io, mark, plainText(check.message));
    if (check.hint === null) return lines;
    const arrow = `${" ".repeat(width + 4)}${colours.dim("→")} `;
    return [...lines, ...paragraph(context.io, arrow, plainText(check.hint))];
  });
}
