import type { Socket } from "node:net";
import type { TakeStream } from "../handlers.ts";

/** Bytes both ways between a connection inside and whoever takes it, until either end closes. */
export function passBytes(socket: Socket): TakeStream {
  return (stream) => {
    // It may have closed while nobody had taken it yet.
    if (socket.destroyed) stream.destroy();
    if (stream.destroyed) socket.destroy();
    socket.on("error", () => stream.destroy());
    socket.once("close", (failed) => failed && stream.destroy());
    stream.once("close", () => socket.destroy());
    stream.pipe(socket);
    socket.pipe(stream);
  };
}
