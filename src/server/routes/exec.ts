import { z } from "zod";
import { CHANNELS, type Frame } from "../../contract/frames.ts";
import { CLOSED } from "../../contract/live-closing.ts";
import { CommandLine, ProcessOrder } from "../../contract/surfaces.ts";
import type { App, RouteContext } from "../route-context.ts";
import { JobParams } from "../route-schemas.ts";
import { close, keepAlive } from "../surfaces/live-socket.ts";
import { openingStream } from "../surfaces/opening.ts";
import { LinkedProcess } from "../surfaces/terminal-process.ts";

/** How long a client may take to say what it wants to run. */
const REQUEST_WAIT_MS = 10_000;

const ExecRequest = z.strictObject({
  command: CommandLine,
  cwd: z.string().max(4096).nullable().default(null),
  env: z.record(z.string().max(256), z.string().max(32 * 1024)).default({}),
});

/**
 * `WS /jobs/{id}/exec`: one command in the sandbox, which ends with its connection. The first message is text, an ExecRequest. After it
 * binary messages begin with a byte that names the channel (CHANNELS), text messages are ProcessOrder from the client, ProcessNews to it.
 */
export function execRoutes(app: App, context: RouteContext): void {
  app.get(
    "/jobs/:id/exec",
    {
      websocket: true,
      schema: { params: JobParams },
      ...openingStream(context, (_request, surfaces, signal) => surfaces.connect("process", signal)),
    },
    (socket, request) => {
      const { stream, surfaces } = request.live;
      const process = new LinkedProcess(stream);
      let begun = false;
      const late = setTimeout(
        () => close(socket, CLOSED.refused, "The client did not say what to run."),
        REQUEST_WAIT_MS,
      );
      keepAlive(socket, AbortSignal.any([surfaces.ended, context.requests.stopping]));
      socket.once("close", () => {
        clearTimeout(late);
        stream.destroy();
      });
      process.type(socket, (message) => {
        surfaces.touch();
        if (begun) return "bytes" in message ? inputOf(message.bytes) : orderOf(message.json);
        const wanted = ExecRequest.safeParse("json" in message ? message.json : null);
        if (!wanted.success) return "The first message is what to run, as JSON: {command, cwd, env}.";
        begun = true;
        clearTimeout(late);
        return { ...wanted.data, terminal: null, pty: null, record: false };
      });
      void process.show(socket, ({ channel, data }) => {
        // Somebody waits for what it prints, and sent nothing meanwhile.
        surfaces.touch();
        return Buffer.concat([Buffer.of(CHANNELS.indexOf(channel)), data]);
      });
    },
  );
}

function inputOf(bytes: Buffer): Frame | string {
  if (CHANNELS[bytes[0] ?? -1] === "stdin") return { channel: "stdin", data: bytes.subarray(1) };
  return "A binary message here begins with the byte 0, for standard input.";
}

function orderOf(json: unknown): ProcessOrder | string {
  const order = z.safeParse(ProcessOrder, json);
  if (order.success && order.data.type !== "resize") return order.data;
  return "A text message here is a signal or end_of_input, as JSON.";
}
