import picocolors from "picocolors";
import type { ListeningPort, PortList } from "../../contract/surfaces.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { mayColour } from "../io.ts";
import { resolveJobId, shortId } from "../job-id.ts";
import { tableLines } from "../table.ts";
import { plainLine } from "../terminal-text.ts";

/** `ports`: what listens in the sandbox of a job. */
export async function ports(context: Context, given: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const id = await resolveJobId(client, given, interrupt.signal);
  const answer = await client.ports(id, interrupt.signal);
  if (context.json) await printJson(context, answer);
  else if (answer.ports.length === 0) await print(context, "Nothing listens in the sandbox.");
  else await print(context, lines(context, id, answer).join("\n"));
  return EXIT.complete;
}

function lines(context: Context, id: string, { ports: listening }: PortList): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const rows = [["PORT", "ADDRESS", "PROCESS"], ...listening.map(cells)];
  return [
    ...tableLines(rows, colours.dim),
    `${colours.dim("→")} sealwork open ${shortId(id)} ${listening[0]?.port}`,
  ];
}

function cells({ port, address, process }: ListeningPort): string[] {
  return [String(port), plainLine(address), plainLine(process ?? "")];
}
