import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Joins two connections: each direction ends by itself and holds its sender up when nobody takes what comes; whatever breaks one ends
 * both. `socket` carries the idle timeout of both, since all that is moved goes through it.
 */
export function join(client: Duplex, socket: Socket): void {
  client.on("error", () => socket.destroy());
  client.once("close", () => {
    // After both directions have ended in order the socket may still have something to send.
    if (!client.readableEnded || !client.writableFinished) socket.destroy();
  });
  socket.once("close", () => {
    if (!socket.readableEnded || client.writableFinished) client.destroy();
    else client.once("finish", () => client.destroy());
  });
  if (socket.destroyed) client.destroy();
  client.pipe(socket);
  socket.pipe(client);
}
