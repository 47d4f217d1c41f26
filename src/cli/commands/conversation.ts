import { AppError } from "../../contract/errors.ts";
import { MESSAGE_MAX_CHARS } from "../../contract/link.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { resolveJobId, shortId } from "../job-id.ts";
import { egressHost, readAll } from "../task-request.ts";
import { plainLine } from "../terminal-text.ts";

/** `send`: says something to the agent of a job. */
export async function send(context: Context, given: string, words: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const text = words === "-" ? await readAll(context.io.stdin) : words;
  if (text.trim() === "") throw usage("The message is empty.", "Say what the agent shall do next.");
  if (text.length > MESSAGE_MAX_CHARS)
    throw usage(
      `The message has ${text.length} characters, and ${MESSAGE_MAX_CHARS} is the most.`,
      "Send the main thing; large content belongs into files of a new job.",
    );
  const client = await connect(context, { start: false, signal });
  const id = await resolveJobId(client, given, signal);
  const answer = await client.message(id, text, signal);
  if (context.json) await printJson(context, answer);
  else await print(context, `Sent. The agent of job ${shortId(id)} reads it at its next turn.`);
  return EXIT.complete;
}

/** `approve`: answers a question of a job, with yes unless `deny`. */
export async function approve(
  context: Context,
  given: string,
  { n, deny }: { n: number; deny: boolean },
): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  if (n < 1)
    throw usage(`${n} is no number of a question.`, "`sealwork status ID` lists what waits for an answer.");
  const client = await connect(context, { start: false, signal });
  const id = await resolveJobId(client, given, signal);
  const answer = await client.decide(id, { n, decision: deny ? "deny" : "allow" }, signal);
  if (context.json) await printJson(context, answer);
  else
    await print(
      context,
      `Question ${answer.n} of job ${shortId(id)}: ${answer.decision === "allow" ? "allowed" : "denied"}.`,
    );
  return EXIT.complete;
}

/** `allow`: opens a host for one job. */
export async function allow(context: Context, given: string, host: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const wanted = egressHost(host);
  const client = await connect(context, { start: false, signal });
  const id = await resolveJobId(client, given, signal);
  const answer = await client.openEgress(id, wanted, signal);
  if (context.json) await printJson(context, answer);
  else {
    const { policy, hosts } = answer.egress;
    await print(
      context,
      `Job ${shortId(id)} may reach ${plainLine(hosts.join(", "))} beside what its policy ${policy} lets through.`,
    );
  }
  return EXIT.complete;
}

function usage(message: string, hint: string): AppError {
  return new AppError({ code: "usage", message, hint });
}
