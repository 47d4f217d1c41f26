import { AppError } from "../../contract/errors.ts";
import { PORT_MAX } from "../../contract/live.ts";
import { SignInLinkRequest } from "../../contract/sign-in-api.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { resolveJobId } from "../job-id.ts";
import { plainLine } from "../terminal-text.ts";

export type OpenOptions = { print?: boolean; path?: string };

/**
 * `open`: the address at which a browser shows the dashboard, signed in; a job's page there; or a port, Jupyter Lab or the desktop of a job.
 * On a terminal it is opened there.
 */
export async function open(
  context: Context,
  given: string | undefined,
  wanted: string | undefined,
  options: OpenOptions,
): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const surface = wanted === undefined ? null : surfaceOf(wanted);
  if (given === undefined) {
    const path = pageOf(options.path ?? "/");
    const client = await connect(context, { start: true, signal });
    return show(context, await client.signInLink(path, signal), options);
  }
  if (surface === null && options.path !== undefined)
    throw new AppError({
      code: "usage",
      message: "--path says where in a port or Jupyter, or in the dashboard as a whole.",
      hint: "Say what of the job is to be opened: a port, jupyter or desktop.",
    });
  const client = await connect(context, { start: false, signal });
  const job_id = await resolveJobId(client, given, signal);
  const { url } =
    surface === null
      ? await client.signInLink(`/job/${job_id}`, signal)
      : await client.openPreview(job_id, { surface, path: options.path }, signal);
  return show(context, { job_id, url }, options);
}

async function show(
  context: Context,
  opened: { url: string; job_id?: string },
  options: OpenOptions,
): Promise<number> {
  const { io } = context;
  if (context.json) await printJson(context, opened);
  else await print(context, plainLine(opened.url));
  const may = !context.json && options.print !== true && io.terminal.stdout;
  if (may && !(await io.browse(opened.url)))
    io.stderr.write("No browser could be started here. The address is good once, for 30 s.\n");
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

function pageOf(path: string): string {
  const asked = SignInLinkRequest.safeParse({ path });
  if (asked.success) return asked.data.path;
  throw new AppError({
    code: "usage",
    message: `'${path}' is no page of the dashboard: ${asked.error.issues[0]?.message}`,
    hint: "For example: sealwork open --path /settings/tokens",
  });
}
