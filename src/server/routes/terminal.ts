import { z } from "zod";
import { TerminalList } from "../../contract/surfaces.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams } from "../route-schemas.ts";
import { keepAlive } from "../surfaces/live-socket.ts";
import { openingStream } from "../surfaces/opening.ts";
import { LinkedProcess } from "../surfaces/terminal-process.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The terminal that was opened for this WebSocket, whose stream is that of `live`. */
    terminal: { id: string | null; process: LinkedProcess };
  }
}

const TerminalParams = JobParams.extend({ terminal: z.string().regex(/^[a-z0-9]{1,16}$/) });
const side = z.coerce.number().int().min(1).max(1000);
const TerminalQuery = z.strictObject({
  /** A terminal to come back to; without one a new one is opened. */
  id: TerminalParams.shape.terminal.optional(),
  columns: side.default(80),
  rows: side.default(24),
});
const Resize = z.strictObject({ type: z.literal("resize"), columns: side, rows: side });

/**
 * `WS /jobs/{id}/terminal`: a terminal in the sandbox, which outlives its connections. Binary messages are its bytes, both ways; text
 * messages are JSON: `resize` from the client, ProcessNews to it.
 */
export function terminalRoutes(app: App, context: RouteContext): void {
  const { orchestrator, requests } = context;

  app.get(
    "/jobs/:id/terminal",
    {
      websocket: true,
      schema: { params: JobParams, querystring: TerminalQuery },
      ...openingStream(context, async (request, surfaces, signal) => {
        const { id, columns, rows } = TerminalQuery.parse(request.query);
        const stream = await surfaces.connect("process", signal);
        const process = new LinkedProcess(stream);
        process.begin({
          terminal: id ?? null,
          pty: { columns, rows },
          command: null,
          cwd: null,
          env: {},
          record: surfaces.records_terminals,
        });
        const { terminal } = await process.opened(signal);
        surfaces.touch();
        request.terminal = { id: terminal, process };
        return stream;
      }),
    },
    (socket, request) => {
      const { stream, surfaces } = request.live;
      const { id, process } = request.terminal;
      keepAlive(socket, AbortSignal.any([surfaces.ended, requests.stopping]));
      socket.once("close", () => stream.destroy());
      process.type(socket, (message) => {
        if ("bytes" in message) {
          surfaces.touch();
          return { channel: "stdin", data: message.bytes };
        }
        const order = Resize.safeParse(message.json);
        return order.success ? order.data : "A text message here is a resize, as JSON.";
      });
      socket.send(JSON.stringify({ type: "opened", terminal: id }));
      void process.show(socket, ({ data }) => data);
    },
  );

  app.get(
    "/jobs/:id/terminals",
    {
      schema: {
        tags: ["surfaces"],
        summary: "The terminals that live in the sandbox",
        params: JobParams,
        response: { 200: TerminalList, ...errorAnswers("invalid_id", "not_found", "conflict", "link_lost") },
      },
    },
    async (request, reply) => {
      const surfaces = await orchestrator.surfaces(request.params.id);
      return surfaces.terminals(requests.signal(reply));
    },
  );

  app.delete(
    "/jobs/:id/terminals/:terminal",
    {
      schema: {
        tags: ["surfaces"],
        summary: "Ends a terminal with all that runs in it",
        params: TerminalParams,
        response: {
          200: z.object({ terminal: z.string() }),
          ...errorAnswers("invalid_id", "not_found", "conflict", "link_lost"),
        },
      },
    },
    async (request, reply) => {
      const { id, terminal } = request.params;
      const surfaces = await orchestrator.surfaces(id);
      surfaces.touch();
      await surfaces.endTerminal(terminal, requests.signal(reply));
      return { terminal };
    },
  );
}
