import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { previewAnswerLines } from "./answer-headers.ts";
import type { ConnectionSlots } from "./connection-slots.ts";
import { changesSomething, isNavigation } from "./gate.ts";
import { connectInside, credentialOf, entryOf, type Inside } from "./inside.ts";
import { passRequest } from "./passage.ts";
import type { PreviewPages, Visit } from "./preview-kind.ts";
import { requestLines } from "./request-headers.ts";
import { passSocket } from "./socket-passage.ts";

export type SandboxPagesOptions = {
  slots: ConnectionSlots;
  /** Whether an Authorization is one of ours, which no sandbox may see. */
  isOwnCredential: (authorization: string) => boolean;
};

/** Previews of what a server in the sandbox answers: a port, or Jupyter Lab. */
export function sandboxPages({ slots, isOwnCredential }: SandboxPagesOptions): PreviewPages {
  const linesFor = async (visit: Visit, inside: Inside) => {
    const { host, protocol } = new URL(visit.origin);
    return requestLines(visit.request, {
      host,
      scheme: protocol.slice(0, -1),
      prefix: null,
      origin: visit.origin,
      cookies: "keep",
      isOwnCredential,
      authorization: await credentialOf(inside, visit.signal),
    });
  };
  return {
    async request(visit: Visit, response: ServerResponse): Promise<void> {
      const inside = insideOf(visit);
      const entry = entryOf(inside);
      if (entry !== null && visit.path === "/") {
        response.writeHead(302, { location: entry, "cache-control": "no-store" }).end();
        return;
      }
      const { request, path, framed_by, signal, surfaces } = visit;
      const at_work = isNavigation(request) || changesSomething(request.method ?? "");
      const connect = async (): Promise<Duplex> => {
        const stream = await connectInside(inside, slots, signal);
        if (at_work) surfaces.touch();
        return stream;
      };
      const answerLines = (raw: readonly string[]) => previewAnswerLines(raw, framed_by);
      await passRequest(
        { request, path, lines: await linesFor(visit, inside), connect, answerLines, signal },
        response,
      );
    },
    async upgrade(visit: Visit, socket: Duplex): Promise<void> {
      const inside = insideOf(visit);
      const { path, framed_by, signal, surfaces } = visit;
      const connect = () => connectInside(inside, slots, signal);
      const answerLines = (raw: readonly string[]) => previewAnswerLines(raw, framed_by);
      const heard = () => surfaces.touch();
      await passSocket(
        { path, lines: await linesFor(visit, inside), connect, answerLines, heard, signal },
        socket,
      );
    },
  };
}

function insideOf({ surfaces, target }: Visit): Inside {
  if (target.kind === "desktop") throw new Error("A desktop has pages of its own.");
  return { surfaces, target };
}
