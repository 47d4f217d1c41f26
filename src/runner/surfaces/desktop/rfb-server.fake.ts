import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { ByteReader } from "./byte-reader.ts";

type Options = {
  width: number;
  height: number;
  /** What it says first; RFB 3.8 when left out. */
  version?: string;
  security?: number[];
};
type Rectangle = { x: number; y: number; width: number; height: number; encoding: number; content: Buffer };

/** Test support: a VNC server that has one client, answers when told to, and keeps what was sent. */
export async function rfbServer(path: string, options: Options) {
  let asked = Promise.withResolvers<{ incremental: boolean }>();
  let peer: Socket | null = null;
  /** Keys and pointer as they came: `key 97 down`, `pointer 3 4 1`. */
  const input: string[] = [];
  const serve = async (socket: Socket): Promise<void> => {
    const reader = new ByteReader(socket);
    socket.write(options.version ?? "RFB 003.008\n");
    await reader.read(12);
    const security = options.security ?? [1];
    socket.write(Buffer.from([security.length, ...security]));
    await reader.read(1);
    socket.write(Buffer.alloc(4));
    await reader.read(1);
    const hello = Buffer.alloc(24);
    hello.writeUInt16BE(options.width, 0);
    hello.writeUInt16BE(options.height, 2);
    socket.write(hello);
    for (;;) {
      const type = (await reader.read(1)).readUInt8();
      if (type === 0) await reader.read(19);
      else if (type === 2) await reader.read((await reader.read(3)).readUInt16BE(1) * 4);
      else if (type === 3) {
        const request = await reader.read(9);
        const { resolve } = asked;
        asked = Promise.withResolvers();
        resolve({ incremental: request[0] === 1 });
      } else if (type === 4) {
        const key = await reader.read(7);
        input.push(`key ${key.readUInt32BE(3)} ${key[0] === 1 ? "down" : "up"}`);
      } else {
        const moved = await reader.read(5);
        input.push(`pointer ${moved.readUInt16BE(1)} ${moved.readUInt16BE(3)} ${moved[0]}`);
      }
    }
  };
  const server = createServer((socket) => {
    peer = socket;
    socket.on("error", () => undefined);
    // It ends with its client.
    serve(socket).catch(() => socket.destroy());
  });
  server.listen(path);
  await once(server, "listening");
  return {
    input,
    /** The next request for an update that has not come yet. */
    asked: () => asked.promise,
    update(...rectangles: Rectangle[]): void {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(rectangles.length, 2);
      peer?.write(Buffer.concat([head, ...rectangles.map(rectangle)]));
    },
    send: (bytes: Buffer): void => void peer?.write(bytes),
    drop: (): void => void peer?.destroy(),
    async [Symbol.asyncDispose]() {
      peer?.destroy();
      server.close();
    },
  };
}

/** A rectangle of one colour, in the form that the client asked for. */
export function painted(area: Omit<Rectangle, "encoding" | "content">, red: number): Rectangle {
  const pixel = [red, 0, 0, 0];
  return {
    ...area,
    encoding: 0,
    content: Buffer.from(
      Array(area.width * area.height)
        .fill(pixel)
        .flat(),
    ),
  };
}

function rectangle({ x, y, width, height, encoding, content }: Rectangle): Buffer {
  const head = Buffer.alloc(12);
  for (const [n, value] of [x, y, width, height].entries()) head.writeUInt16BE(value, 2 * n);
  head.writeInt32BE(encoding, 8);
  return Buffer.concat([head, content]);
}
