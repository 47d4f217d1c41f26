import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { AppError } from "../../../contract/errors.ts";
import { untilAborted } from "../until-aborted.ts";
import { ByteReader } from "./byte-reader.ts";
import { copyWithin, PIXEL_BYTES, PIXELS_MAX, type Picture, resized } from "./framebuffer.ts";

/** Numbers of RFB 3.8 (RFC 6143) and of its registered extensions. */
const VERSION = "RFB 003.008\n";
const SECURITY_NONE = 1;
const SHARED = 1;
const RAW = 0;
const COPY_RECT = 1;
const DESKTOP_SIZE = -223;
/** Ends an update of which the server did not say how many rectangles it has. TigerVNC ends an empty one with it even where it was not asked for. */
const LAST_RECTANGLE = -224;
const ENCODINGS = [COPY_RECT, RAW, DESKTOP_SIZE, LAST_RECTANGLE];
/** Bytes of the fixed part of a server's message, its type included. */
const UPDATE_BYTES = 4;
const RECTANGLE_BYTES = 12;
const COLOUR_MAP_BYTES = 6;
const CUT_TEXT_BYTES = 8;
const NAME_MAX_BYTES = 64 * 1024;
/** What is waiting to be sent to a server that does not read; more is a fault. */
const UNSENT_MAX_BYTES = 1024 * 1024;

/** A VNC client that keeps the screen of its server in memory as far as it is asked to, and sends keys and the pointer. */
export class RfbClient implements Disposable {
  readonly #socket: Socket;
  readonly #reader: ByteReader;
  #picture: Picture = { width: 0, height: 0, pixels: Buffer.alloc(0) };
  #updates = 0;
  #asked = false;
  #news = Promise.withResolvers<void>();
  #failure: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new ByteReader(socket);
    this.#news.promise.catch(() => undefined);
  }

  /** Connects to a server that wants no password. Rejects with the signal's reason, and when the server is none. */
  static async connect(path: string, signal: AbortSignal): Promise<RfbClient> {
    const socket = connect({ path });
    socket.on("error", () => socket.destroy());
    const abort = (): void => void socket.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await once(socket, "connect", { signal });
      const client = new RfbClient(socket);
      await client.#greet();
      client.#listen();
      return client;
    } catch (error) {
      socket.destroy();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  get closed(): boolean {
    return this.#failure !== null;
  }

  /** How often the picture has changed; a number to compare with a later one. */
  get updates(): number {
    return this.#updates;
  }

  /** The screen as of the last update: it changes under the hands of whoever keeps it. */
  get picture(): Picture {
    return this.#picture;
  }

  /** Asks for the whole screen; resolves when it is there. Rejects when the connection closes, and with the signal's reason. */
  async refresh(signal: AbortSignal): Promise<void> {
    const before = this.#updates;
    this.#ask(false);
    await this.changedSince(before, signal);
  }

  /** Resolves when there are more updates than `updates`. Costs nothing while the screen stays as it is. Rejects as `refresh` does. */
  async changedSince(updates: number, signal: AbortSignal): Promise<void> {
    while (this.#updates <= updates) {
      if (this.#failure !== null) throw this.#failure;
      // Again, when the answer said only how large the screen is.
      if (!this.#asked) this.#ask(true);
      await untilAborted(this.#news.promise, signal);
    }
  }

  /** Presses or lets go of a key, by its keysym. */
  key(keysym: number, down: boolean): void {
    const message = Buffer.alloc(8);
    message[0] = 4;
    message[1] = down ? 1 : 0;
    message.writeUInt32BE(keysym, 4);
    this.#send(message);
  }

  /** Moves the pointer; `buttons` has bit n-1 for button n that is down. */
  pointer(x: number, y: number, buttons: number): void {
    const message = Buffer.alloc(6);
    message[0] = 5;
    message[1] = buttons;
    message.writeUInt16BE(x, 2);
    message.writeUInt16BE(y, 4);
    this.#send(message);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #greet(): Promise<void> {
    const reader = this.#reader;
    const version = (await reader.read(VERSION.length)).toString("latin1");
    if (version !== VERSION) throw new Error(`The server speaks ${JSON.stringify(version)}.`);
    this.#send(Buffer.from(VERSION));
    const types = await reader.read((await reader.read(1)).readUInt8());
    if (!types.includes(SECURITY_NONE)) throw new Error("The server wants a password, or refuses.");
    this.#send(Buffer.from([SECURITY_NONE]));
    const result = (await reader.read(4)).readUInt32BE();
    if (result !== 0) throw new Error(`The server refuses (${result}).`);
    this.#send(Buffer.from([SHARED]));
    const hello = await reader.read(24);
    await reader.skip(Math.min(hello.readUInt32BE(20), NAME_MAX_BYTES));
    this.#resize(hello.readUInt16BE(0), hello.readUInt16BE(2));
    this.#send(pixelFormat());
    this.#send(encodings());
  }

  #listen(): void {
    const failed = (error: unknown): void => {
      this.#socket.destroy();
      const what = error instanceof Error ? error.message : String(error);
      this.#failure =
        error instanceof AppError
          ? error
          : new AppError({ code: "conflict", message: `The desktop is gone: ${what}`, cause: error });
      this.#news.reject(this.#failure);
    };
    const read = async (): Promise<void> => {
      for (;;) await this.#message();
    };
    read().catch(failed);
  }

  async #message(): Promise<void> {
    const reader = this.#reader;
    const type = (await reader.read(1)).readUInt8();
    if (type === 0) return this.#update((await reader.read(UPDATE_BYTES - 1)).readUInt16BE(1));
    if (type === 1) return reader.skip((await reader.read(5)).readUInt16BE(3) * COLOUR_MAP_BYTES);
    if (type === 2) return;
    if (type === 3) return reader.skip((await reader.read(CUT_TEXT_BYTES - 1)).readUInt32BE(3));
    throw new Error(`The server sends a message of the unknown type ${type}.`);
  }

  async #update(rectangles: number): Promise<void> {
    this.#asked = false;
    let painted = false;
    for (let n = 0; n < rectangles; n++) {
      const head = await this.#reader.read(RECTANGLE_BYTES);
      const [x, y] = [head.readUInt16BE(0), head.readUInt16BE(2)];
      const [width, height] = [head.readUInt16BE(4), head.readUInt16BE(6)];
      const encoding = head.readInt32BE(8);
      if (encoding === LAST_RECTANGLE) break;
      painted ||= encoding === RAW || encoding === COPY_RECT;
      if (encoding === RAW) await this.#raw({ x, y, width, height });
      else if (encoding === COPY_RECT) await this.#copy({ x, y, width, height });
      else if (encoding === DESKTOP_SIZE) this.#resize(width, height);
      else throw new Error(`The server sends the encoding ${encoding}, which was not asked for.`);
    }
    if (painted) this.#updates += 1;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    this.#news.promise.catch(() => undefined);
  }

  async #raw(area: Area): Promise<void> {
    this.#mustBeInside(area);
    const { pixels, width } = this.#picture;
    const row_bytes = area.width * PIXEL_BYTES;
    // Straight to its place: a whole screen is many times what is read at once.
    for (let done = 0; done < row_bytes * area.height; ) {
      const in_row = done % row_bytes;
      const row = (done - in_row) / row_bytes;
      const piece = await this.#reader.some(row_bytes - in_row);
      piece.copy(pixels, ((area.y + row) * width + area.x) * PIXEL_BYTES + in_row);
      done += piece.length;
    }
  }

  async #copy(area: Area): Promise<void> {
    const from = await this.#reader.read(4);
    const [x, y] = [from.readUInt16BE(0), from.readUInt16BE(2)];
    this.#mustBeInside(area);
    this.#mustBeInside({ ...area, x, y });
    copyWithin(this.#picture, { x, y }, area);
  }

  #mustBeInside({ x, y, width, height }: Area): void {
    if (x + width > this.#picture.width || y + height > this.#picture.height)
      throw new Error("The server sends pixels that lie outside of its screen.");
  }

  #resize(width: number, height: number): void {
    if (width === this.#picture.width && height === this.#picture.height) return;
    if (width * height > PIXELS_MAX || width === 0 || height === 0)
      throw new AppError({
        code: "conflict",
        message: `The screen of ${width}×${height} is too large to be looked at.`,
      });
    this.#picture = resized(this.#picture, width, height);
  }

  #ask(incremental: boolean): void {
    const message = Buffer.alloc(10);
    message[0] = 3;
    message[1] = incremental ? 1 : 0;
    message.writeUInt16BE(this.#picture.width, 6);
    message.writeUInt16BE(this.#picture.height, 8);
    this.#asked = true;
    this.#send(message);
  }

  #send(message: Buffer): void {
    if (this.#socket.writableLength > UNSENT_MAX_BYTES) this.#socket.destroy();
    if (!this.#socket.destroyed) this.#socket.write(message);
  }
}

type Area = { x: number; y: number; width: number; height: number };

/** 32 bits a pixel: red, green and blue in this order in memory, then eight bits without a meaning. */
function pixelFormat(): Buffer {
  const message = Buffer.alloc(20);
  message.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16], 4);
  return message;
}

function encodings(): Buffer {
  const message = Buffer.alloc(4 + 4 * ENCODINGS.length);
  message[0] = 2;
  message.writeUInt16BE(ENCODINGS.length, 2);
  for (const [n, encoding] of ENCODINGS.entries()) message.writeInt32BE(encoding, 4 + 4 * n);
  return message;
}
