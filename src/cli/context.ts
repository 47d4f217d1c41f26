import { AppError } from "../contract/errors.ts";
import { Client } from "./client.ts";
import { type Io, write } from "./io.ts";
import type { LocalServer } from "./local-server.ts";
import { createProgress } from "./progress.ts";
import { jsonText } from "./terminal-text.ts";

/** What every command gets. */
export type Context = { io: Io; local: LocalServer; json: boolean };

/** Ctrl-C ended the command; the message says what that means for the job. */
export class Interrupted extends Error {
  constructor(message = "Interrupted.") {
    super(message);
    this.name = "Interrupted";
  }
}

/** A signal that the first Ctrl-C aborts. */
export function interruptible(io: Io): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const registration = io.on_interrupt(() => controller.abort(new Interrupted()));
  return { signal: controller.signal, [Symbol.dispose]: () => registration[Symbol.dispose]() };
}

/** The server of SEALWORK_URL; null when that is not set. Throws `usage` when it is no URL. */
export function remoteClient(io: Io): Client | null {
  const url = io.env.SEALWORK_URL;
  if (url === undefined || url === "") return null;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new AppError({
      code: "usage",
      message: `SEALWORK_URL is '${url}', which is no http address.`,
      hint: "Set it to something like http://127.0.0.1:8000, or unset it to use this machine.",
    });
  }
  return new Client({ endpoint: { url, token: io.env.SEALWORK_TOKEN || null }, relocate: null });
}

/** The server to talk to: that of SEALWORK_URL, else the local one, set up and started when `start` says so. */
export async function connect(
  context: Context,
  options: { start: boolean; signal: AbortSignal },
): Promise<Client> {
  const remote = remoteClient(context.io);
  if (remote !== null) return remote;
  const relocate = () => context.local.find();
  if (options.start) {
    using progress = createProgress(context.io);
    const endpoint = await context.local.ensure(progress, options.signal);
    progress.done();
    return new Client({ endpoint, relocate });
  }
  const endpoint = await relocate();
  if (endpoint !== null) return new Client({ endpoint, relocate });
  throw new AppError({
    code: "unreachable",
    message: "No server runs on this machine.",
    hint: "`sealwork serve` or the next `sealwork run` starts one; SEALWORK_URL names one elsewhere.",
  });
}

/** Prints lines for people on stdout. */
export function print(context: Context, text: string): Promise<void> {
  return write(context.io.stdout, `${text}\n`);
}

/** Prints one JSON document in one line, which is NDJSON when repeated. */
export function printJson(context: Context, value: unknown): Promise<void> {
  return write(context.io.stdout, `${jsonText(value)}\n`);
}
