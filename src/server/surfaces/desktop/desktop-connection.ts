import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { DesktopQuery } from "../../../contract/desktop-api.ts";
import { CLOSED } from "../../../contract/live-closing.ts";
import type { DesktopSeat } from "../../../core/desktop-control.ts";
import type { JobSurfaces } from "../../../core/job-surfaces.ts";
import { close, closeFor, keepAlive, sent } from "../live-socket.ts";
import { RfbFilter } from "./rfb-filter.ts";

/** One who lost the desktop in the middle of a clipboard has this long to send the rest, because only behind it can keys be let go. */
const UNFINISHED_MAX_MS = 10_000;

/** A viewer's own connection to the desktop, and the seat that says what it may do. Both end with the stream. */
export type DesktopConnection = { surfaces: JobSurfaces; stream: Duplex; seat: DesktopSeat };

/** Connects a viewer. Throws AppError where it cannot, or may not drive as it asked to; the signal ends the opening only. */
export async function openDesktop(
  surfaces: JobSurfaces,
  { viewer = randomUUID(), name, control }: DesktopQuery,
  signal: AbortSignal,
): Promise<DesktopConnection> {
  const seat = surfaces.desktop.join({ viewer, name });
  let stream: Duplex | null = null;
  try {
    stream = await surfaces.connect("desktop", signal);
    if (control !== "view") {
      await surfaces.desktop.take(viewer, { force: control === "force" });
      surfaces.touch();
    }
    signal.throwIfAborted();
    stream.once("close", () => seat[Symbol.dispose]());
    if (stream.destroyed) seat[Symbol.dispose]();
    return { surfaces, stream, seat };
  } catch (error) {
    seat[Symbol.dispose]();
    stream?.on("error", () => undefined).destroy();
    throw error;
  }
}

/**
 * Carries RFB between a WebSocket and the desktop: what the viewer sends passes the filter, and each direction holds back who is too fast
 * for it. Whichever ends, ends both, and so does `ending`.
 */
export function showDesktop(
  socket: WebSocket,
  { surfaces, stream, seat }: DesktopConnection,
  ending: AbortSignal,
): void {
  keepAlive(socket, ending);
  const filter = new RfbFilter(seat, () => surfaces.touch());
  stream.on("drain", () => socket.resume());
  const pass = (make: () => Buffer[]): void => {
    try {
      let flowing = true;
      for (const bytes of make()) if (stream.writable) flowing = stream.write(bytes);
      if (flowing || !stream.writable) return;
      socket.pause();
    } catch (error) {
      closeFor(socket, error);
      stream.destroy();
    }
  };
  let overdue: NodeJS.Timeout | null = null;
  const listening = surfaces.desktop.onChange(() => {
    pass(() => filter.settle());
    if (seat.drives || !filter.unfinished || overdue !== null) return;
    overdue = setTimeout(() => {
      overdue = null;
      if (!filter.unfinished) return;
      close(socket, CLOSED.slow, "The rest of a clipboard did not come.");
      stream.destroy();
    }, UNFINISHED_MAX_MS);
  });
  stream.on("error", (error) => closeFor(socket, error));
  socket.once("close", () => {
    listening[Symbol.dispose]();
    if (overdue !== null) clearTimeout(overdue);
    stream.destroy();
  });
  socket.on("message", (data: Buffer, isBinary) => {
    if (!stream.writable) return;
    // An empty message is the end of what a viewer sends, and so the end of the viewer.
    if (isBinary && data.length === 0) stream.end();
    else if (isBinary) pass(() => filter.take(data));
    else close(socket, CLOSED.refused, "Only binary messages are taken here.");
  });
  void deliver(socket, stream);
}

async function deliver(socket: WebSocket, stream: Duplex): Promise<void> {
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
      await sent(socket, chunk);
    close(socket, CLOSED.done, "The desktop ended this connection.");
  } catch (error) {
    closeFor(socket, error);
  }
}
