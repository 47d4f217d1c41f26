import { once } from "node:events";
import type { Duplex } from "node:stream";

/** What is read ahead of the parser before the desktop is held back. */
const AHEAD_MAX_BYTES = 8 * 1024 * 1024;
const PIXEL_BYTES = 4;
const RAW = 0;
const COPY_RECT = 1;
const TIGHT = 7;
const DESKTOP_SIZE = -223;
const LAST_RECTANGLE = -224;
const EXTENDED_DESKTOP_SIZE = -308;
const FENCE = -312;
const CONTINUOUS_UPDATES = -313;
const QUALITY = -26;
const COMPRESSION = -254;
const TIGHT_FILTER = 0x40;

export type ViewerOptions = {
  /** `pixels` keeps the screen in memory; `frames` only counts what a usual viewer would be sent, as fast as the desktop gives it. */
  keeps?: "pixels" | "frames";
};

/** A VNC viewer for tests, over any stream of bytes: RFB 3.8 (RFC 6143), without a password. */
export class RfbViewer implements Disposable {
  readonly #stream: Duplex;
  readonly #keeps: "pixels" | "frames";
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #closed = false;
  #wake: () => void = () => undefined;
  #changed = new EventTarget();
  #pixels = Buffer.alloc(0);
  width = 0;
  height = 0;
  /** Pictures so far. */
  frames = 0;
  bytes = 0;
  /** What was copied on the desktop, in order. */
  readonly copied: string[] = [];
  /** What broke the connection. */
  failure: unknown = null;

  private constructor(stream: Duplex, { keeps = "pixels" }: ViewerOptions) {
    this.#stream = stream;
    this.#keeps = keeps;
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.bytes += chunk.length;
      if (this.#length > AHEAD_MAX_BYTES) stream.pause();
      this.#wake();
    });
    stream.once("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Resolves when the first picture is there. */
  static async connect(stream: Duplex, options: ViewerOptions = {}): Promise<RfbViewer> {
    const viewer = new RfbViewer(stream, options);
    await viewer.#greet();
    viewer.#follow();
    await viewer.until(() => viewer.frames > 0);
    return viewer;
  }

  get closed(): boolean {
    return this.failure !== null;
  }

  /** The colour of a pixel as 0xRRGGBB. */
  pixel(x: number, y: number): number {
    return this.#pixels.readUInt32LE((y * this.width + x) * PIXEL_BYTES) & 0xffffff;
  }

  /** How many pixels of the screen have this colour, 0xRRGGBB. */
  count(colour: number): number {
    let found = 0;
    for (let at = 0; at < this.#pixels.length; at += PIXEL_BYTES)
      if ((this.#pixels.readUInt32LE(at) & 0xffffff) === colour) found += 1;
    return found;
  }

  /** Waits until something is so; looked at after every message of the desktop. Rejects when the connection breaks. */
  async until(isSo: () => boolean, patience_ms = 60_000): Promise<void> {
    const signal = AbortSignal.timeout(patience_ms);
    while (!isSo()) {
      if (this.failure !== null)
        throw new Error("the desktop closed the connection", { cause: this.failure });
      await once(this.#changed, "changed", { signal });
    }
  }

  /** Presses and lets go of keys, one for each character. */
  type(text: string): void {
    for (const char of text) {
      const sym = char === "\n" ? 0xff0d : (char.codePointAt(0) ?? 0);
      this.key(sym, true);
      this.key(sym, false);
    }
  }

  key(sym: number, down: boolean): void {
    const message = Buffer.from([4, down ? 1 : 0, 0, 0, 0, 0, 0, 0]);
    message.writeUInt32BE(sym, 4);
    this.send(message);
  }

  pointer(x: number, y: number, mask: number): void {
    const message = Buffer.from([5, mask, 0, 0, 0, 0]);
    message.writeUInt16BE(x, 2);
    message.writeUInt16BE(y, 4);
    this.send(message);
  }

  /** Puts a text into the desktop's clipboard. */
  paste(text: string): void {
    const head = Buffer.alloc(8);
    head[0] = 6;
    head.writeUInt32BE(text.length, 4);
    this.send(Buffer.concat([head, Buffer.from(text, "latin1")]));
  }

  resize(width: number, height: number): void {
    const message = Buffer.alloc(24);
    message[0] = 251;
    message[6] = 1;
    for (const at of [2, 16]) {
      message.writeUInt16BE(width, at);
      message.writeUInt16BE(height, at + 2);
    }
    this.send(message);
  }

  send(message: Buffer): void {
    if (this.#stream.writable) this.#stream.write(message);
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }

  async #greet(): Promise<void> {
    await this.#read(12);
    this.send(Buffer.from("RFB 003.008\n"));
    await this.#read((await this.#read(1)).readUInt8());
    this.send(Buffer.from([1]));
    const result = (await this.#read(4)).readUInt32BE();
    if (result !== 0) throw new Error(`the desktop refused: ${result}`);
    this.send(Buffer.from([1]));
    const hello = await this.#read(24);
    await this.#read(hello.readUInt32BE(20));
    this.#resized(hello.readUInt16BE(0), hello.readUInt16BE(2));
    // Little-endian 0x00RRGGBB.
    this.send(Buffer.from([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]));
    const looks = this.#keeps === "pixels" ? [RAW] : [TIGHT, QUALITY, COMPRESSION, FENCE, CONTINUOUS_UPDATES];
    const encodings = [...looks, COPY_RECT, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, LAST_RECTANGLE];
    const message = Buffer.alloc(4 + 4 * encodings.length);
    message[0] = 2;
    message.writeUInt16BE(encodings.length, 2);
    encodings.forEach((encoding, n) => {
      message.writeInt32BE(encoding, 4 + 4 * n);
    });
    this.send(message);
    this.#ask(false);
  }

  #follow(): void {
    const follow = async (): Promise<void> => {
      for (;;) {
        await this.#message();
        this.#changed.dispatchEvent(new Event("changed"));
      }
    };
    follow().catch((error: unknown) => {
      this.failure = error;
      this.#stream.destroy();
      this.#changed.dispatchEvent(new Event("changed"));
    });
  }

  async #message(): Promise<void> {
    const type = (await this.#read(1)).readUInt8();
    if (type === 0) return this.#update((await this.#read(3)).readUInt16BE(1));
    if (type === 2) return;
    if (type === 3) {
      const length = (await this.#read(7)).readUInt32BE(3);
      this.copied.push((await this.#read(length)).toString("latin1"));
      return;
    }
    if (type === 150) return this.#askForAll();
    if (type === 248) {
      const head = await this.#read(8);
      const payload = await this.#read(head.readUInt8(7));
      const flags = head.readUInt32BE(3);
      // Bit 31 is a request, which is answered with the flags that are understood.
      const answer = Buffer.from([248, 0, 0, 0, 0, 0, 0, 0, payload.length]);
      answer.writeUInt32BE((flags & 0x3) >>> 0, 4);
      if ((flags & 0x8000_0000) !== 0) this.send(Buffer.concat([answer, payload]));
      return;
    }
    throw new Error(`the desktop sent a message of type ${type}`);
  }

  async #update(rectangles: number): Promise<void> {
    let painted = false;
    let resized = false;
    for (let n = 0; n < rectangles; n++) {
      const head = await this.#read(12);
      const [x, y] = [head.readUInt16BE(0), head.readUInt16BE(2)];
      const [width, height] = [head.readUInt16BE(4), head.readUInt16BE(6)];
      const encoding = head.readInt32BE(8);
      if (encoding === LAST_RECTANGLE) break;
      painted ||= encoding >= 0;
      if (encoding === RAW) await this.#raw({ x, y, width, height });
      else if (encoding === COPY_RECT) await this.#copy({ x, y, width, height });
      else if (encoding === TIGHT) await this.#skipTight(width, height);
      else if (encoding === DESKTOP_SIZE) resized = this.#resized(width, height) || resized;
      else if (encoding === EXTENDED_DESKTOP_SIZE) {
        await this.#read((await this.#read(4)).readUInt8() * 16);
        // y is a refusal of somebody's wish.
        if (y === 0) resized = this.#resized(width, height) || resized;
      } else throw new Error(`the desktop sent the encoding ${encoding}`);
    }
    if (painted) this.frames += 1;
    // Of a screen of another size all is wanted; otherwise what changed, since an update may only say how large the screen is.
    this.#ask(!resized);
  }

  async #raw({ x, y, width, height }: Area): Promise<void> {
    const rows = await this.#read(width * height * PIXEL_BYTES);
    if (this.#keeps === "frames") return;
    for (let row = 0; row < height; row++)
      rows.copy(
        this.#pixels,
        this.#at(x, y + row),
        row * width * PIXEL_BYTES,
        (row + 1) * width * PIXEL_BYTES,
      );
  }

  async #copy({ x, y, width, height }: Area): Promise<void> {
    const from = await this.#read(4);
    if (this.#keeps === "frames") return;
    const before = Buffer.from(this.#pixels);
    for (let row = 0; row < height; row++) {
      const start = this.#at(from.readUInt16BE(0), from.readUInt16BE(2) + row);
      before.copy(this.#pixels, this.#at(x, y + row), start, start + width * PIXEL_BYTES);
    }
  }

  /** A rectangle in Tight (rfbproto.rst, 7.7.6), of which only the length is of interest. */
  async #skipTight(width: number, height: number): Promise<void> {
    const control = (await this.#read(1)).readUInt8();
    const kind = control >> 4;
    if (kind === 8) return void (await this.#read(3));
    if (kind === 9) return void (await this.#read(await this.#compactLength()));
    let size = 3 * width * height;
    if ((control & TIGHT_FILTER) !== 0 && (await this.#read(1)).readUInt8() === 1) {
      const colours = (await this.#read(1)).readUInt8() + 1;
      await this.#read(3 * colours);
      size = colours === 2 ? Math.ceil(width / 8) * height : width * height;
    }
    await this.#read(size < 12 ? size : await this.#compactLength());
  }

  async #compactLength(): Promise<number> {
    let length = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = (await this.#read(1)).readUInt8();
      length |= (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) break;
    }
    return length;
  }

  #resized(width: number, height: number): boolean {
    if (width === this.width && height === this.height) return false;
    this.width = width;
    this.height = height;
    this.#pixels = Buffer.alloc(this.#keeps === "pixels" ? width * height * PIXEL_BYTES : 0);
    return true;
  }

  #at(x: number, y: number): number {
    return (y * this.width + x) * PIXEL_BYTES;
  }

  #ask(incremental: boolean): void {
    const message = Buffer.alloc(10);
    message[0] = 3;
    message[1] = incremental ? 1 : 0;
    message.writeUInt16BE(this.width, 6);
    message.writeUInt16BE(this.height, 8);
    this.send(message);
  }

  /** From now on the desktop sends what changes without being asked for each frame, as most viewers want it. */
  #askForAll(): void {
    const message = Buffer.alloc(10);
    message[0] = 150;
    message[1] = 1;
    message.writeUInt16BE(this.width, 6);
    message.writeUInt16BE(this.height, 8);
    this.send(message);
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#length < length) {
      if (this.#closed) throw new Error("the connection has closed");
      if (this.#stream.isPaused()) this.#stream.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const parts: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const first = this.#chunks[0] ?? Buffer.alloc(0);
      const part = first.subarray(0, left);
      parts.push(part);
      left -= part.length;
      if (part.length === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(part.length);
    }
    this.#length -= length;
    if (this.#length <= AHEAD_MAX_BYTES && this.#stream.isPaused()) this.#stream.resume();
    return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
  }
}

type Area = { x: number; y: number; width: number; height: number };
