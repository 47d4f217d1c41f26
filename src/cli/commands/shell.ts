import { type Context, connect, interruptible } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { resolveJobId, shortId } from "../job-id.ts";
import { ShellSession } from "../shell-session.ts";

export type ShellOptions = { id?: string };

/** `shell`: a terminal in the sandbox of a job, or the one of that id. The exit code is that of what ran in it; 0 for who left it running. */
export async function shell(context: Context, given: string, options: ShellOptions): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const client = await connect(context, { start: false, signal });
  const job_id = await resolveJobId(client, given, signal);
  let left: string;
  {
    using session = new ShellSession(context.io, { client, job_id, terminal: options.id });
    const end = await session.run(signal);
    if ("exit_status" in end) return end.exit_status;
    left = end.left;
  }
  context.io.stderr.write(`Left; \`sealwork shell ${shortId(job_id)} --id ${left}\` comes back.\n`);
  return EXIT.complete;
}
