import { randomUUID } from "node:crypto";
import type { AppError } from "../../contract/errors.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { resolveJobId } from "../job-id.ts";
import { openLocalPort } from "../local-ports.ts";
import { untilJobEnds } from "../until-job-ends.ts";
import { tellOnce, untilInterrupted } from "./forward.ts";

export type DesktopOptions = { port?: number; control?: boolean; force?: boolean; name?: string };

/** `desktop`: the desktop of a job for VNC viewers of this machine, until Ctrl-C or the end of the job. It wants no password. */
export async function desktop(context: Context, given: string, options: DesktopOptions): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const client = await connect(context, { start: false, signal });
  const job_id = await resolveJobId(client, given, signal);
  const control = options.force === true ? "force" : options.control === true ? "take" : "view";
  // One name for all connections: a viewer that is connected again goes on driving.
  const query = { viewer: randomUUID(), name: options.name ?? context.io.env.USER, control };
  const told = new Set<string>();
  const failed = (error: AppError): void => tellOnce(context, told, error);
  const wanted = { call: { path: `/jobs/${job_id}/desktop`, query }, port: options.port ?? 0, or_any: false };
  await using own = await openLocalPort(client, wanted, failed);
  const address = `127.0.0.1:${own.port}`;
  if (context.json) await printJson(context, { job_id, local_port: own.port, address });
  else {
    const may =
      control === "view" ? "You look only; --control drives." : "You drive; the agent waits meanwhile.";
    await print(context, `Connect a VNC viewer to ${address} (some write 127.0.0.1::${own.port}). ${may}`);
    await print(context, "Until Ctrl-C, or the end of the job.");
  }
  return await untilInterrupted(untilJobEnds(client, job_id, signal));
}
