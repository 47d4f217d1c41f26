import { AppError } from "../../contract/errors.ts";
import { PORT_MAX } from "../../contract/live.ts";
import { type Context, connect, Interrupted, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { resolveJobId } from "../job-id.ts";
import { openLocalPort } from "../local-ports.ts";
import { plainText } from "../terminal-text.ts";
import { untilJobEnds } from "../until-job-ends.ts";

/**
 * `forward`: ports of a job's sandbox on this machine, until Ctrl-C or the end of the job. A connection that is lost is closed; the next one
 * is made anew, so a server that is restarted, in the sandbox or out of it, is no reason to start again.
 */
export async function forward(context: Context, given: string, wanted: string[]): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const ports = wanted.map(portsOf);
  const client = await connect(context, { start: false, signal });
  const job_id = await resolveJobId(client, given, signal);
  await using opened = new AsyncDisposableStack();
  const told = new Set<string>();
  for (const { port, local } of ports) {
    const failed = (error: AppError): void => tellOnce(context, told, error);
    const call = { path: `/jobs/${job_id}/forward/${port}` };
    const own = opened.use(
      await openLocalPort(client, { call, port: local ?? port, or_any: local === null }, failed),
    );
    const address = `127.0.0.1:${own.port}`;
    if (context.json) await printJson(context, { job_id, port, local_port: own.port, address });
    else await print(context, `${address} is port ${port} of the job.`);
  }
  if (!context.json) await print(context, "Until Ctrl-C, or the end of the job.");
  return await untilInterrupted(untilJobEnds(client, job_id, signal));
}

/** Each reason once: a browser connects again and again. */
export function tellOnce({ io }: Context, told: Set<string>, { message }: AppError): void {
  if (told.has(message)) return;
  told.add(message);
  io.stderr.write(`${plainText(message)}\n`);
}

/** Ctrl-C is how it is meant to end. */
export async function untilInterrupted(ending: Promise<never>): Promise<number> {
  try {
    return await ending;
  } catch (error) {
    if (error instanceof Interrupted) return EXIT.complete;
    throw error;
  }
}

/** `PORT` or `PORT:LOCAL`; with LOCAL 0 any that is free. */
function portsOf(text: string): { port: number; local: number | null } {
  const [, port, local] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const numbers = { port: Number(port), local: local === undefined ? null : Number(local) };
  if (numbers.port >= 1 && numbers.port <= PORT_MAX && (numbers.local ?? 0) <= PORT_MAX) return numbers;
  throw new AppError({
    code: "usage",
    message: `'${text}' names no port.`,
    hint: "Write the port in the sandbox, as 5173, or that and the one here, as 5173:8080.",
  });
}
