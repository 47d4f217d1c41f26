import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import * as z from "zod/mini";

const ANSWER_TIMEOUT_MS = 10_000;
const ANSWER_MAX_BYTES = 1024 * 1024;
/** A terminal in which something moved since then is at work. */
const TERMINAL_QUIET_MS = 5 * 60 * 1000;
/** The agent's own kernel, which is at work for the agent (images/desktop: sealwork_jupyter/kernels.py). */
const AGENTS_KERNEL = "sealwork-session";

const Kernels = z.array(z.object({ name: z.string(), execution_state: z.nullable(z.string()) }));
const Terminals = z.array(z.object({ last_activity: z.string() }));

export type JupyterAddress = { socket: string; base_path: string; token: string };

/** Whether people's kernels or terminals in Jupyter are at work, also while nobody looks. Never throws: what does not answer is not busy. */
export async function isJupyterBusy(address: JupyterAddress): Promise<boolean> {
  try {
    const kernels = Kernels.parse(await ask(address, "api/kernels"));
    if (kernels.some((kernel) => kernel.execution_state === "busy" && kernel.name !== AGENTS_KERNEL))
      return true;
    const since_ms = Date.now() - TERMINAL_QUIET_MS;
    const terminals = Terminals.parse(await ask(address, "api/terminals"));
    return terminals.some(({ last_activity }) => Date.parse(last_activity) > since_ms);
  } catch {
    return false;
  }
}

async function ask({ socket, base_path, token }: JupyterAddress, path: string): Promise<unknown> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const headers = { authorization: `token ${token}` };
  const asked = request({ socketPath: socket, path: `${base_path}${path}`, headers, signal }).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > ANSWER_MAX_BYTES) throw new Error("The answer is too long.");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}
