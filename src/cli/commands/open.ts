import { AppError } from "../../contract/errors.ts";
import { PORT_MAX } from "../../contract/live.ts";
import type { Client } from "../client.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { resolveJobId } from "../job-id.ts";
import { plainLine } from "../terminal-text.ts";

export type OpenOptions = { print?: boolean; path?: string };

/** `open`: the address at which a browser shows a port, Jupyter Lab or the desktop of a job; on a terminal it is opened there. */
export async function open(
  context: Context,
  given: string,
  wanted: string | undefined,
  options: OpenOptions,
): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const named = wanted === undefined ? null : surfaceOf(wanted);
  const client = await connect(context, { start: false, signal });
  const id = await resolveJobId(client, given, signal);
  const surface = named ?? `ports/${await onlyPort(client, id, signal)}`;
  const { url } = await client.openPreview(id, { surface, path: options.path }, signal);
  if (context.json) await printJson(context, { job_id: id, url });
  else await print(context, plainLine(url));
  const { io } = context;
  if (!context.json && options.print !== true && io.terminal.stdout && !(await io.browse(url)))
    io.stderr.write("No browser could be started here: open the address within half a minute.\n");
  return EXIT.complete;
}

function surfaceOf(wanted: string): string {
  if (wanted === "jupyter" || wanted === "desktop") return wanted;
  if (/^[1-9]\d{0,4}$/.test(wanted) && Number(wanted) <= PORT_MAX) return `ports/${wanted}`;
  throw new AppError({
    code: "usage",
    message: `'${wanted}' cannot be opened.`,
    hint: "Say the number of a port, jupyter or desktop.",
  });
}

async function onlyPort(client: Client, id: string, signal: AbortSignal): Promise<number> {
  const { ports } = await client.ports(id, signal);
  const [only] = ports;
  if (only !== undefined && ports.length === 1) return only.port;
  const listening = ports.map(({ port }) => port).join(", ");
  throw new AppError({
    code: "usage",
    message: only === undefined ? "Nothing listens in the sandbox." : `Several ports listen: ${listening}.`,
    hint: "Say the number of a port, jupyter or desktop.",
  });
}
