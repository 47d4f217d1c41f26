import { CLIENT_MESSAGE } from "./rfb-messages.ts";

/** Test support: what an RFB client sends, as bytes (RFC 6143, 7.1 and 7.5, and the extensions of rfbproto.rst). */
export const HANDSHAKE = Buffer.from("RFB 003.008\n\x01\x00", "latin1");
/** What the filter makes of it: the screen is shared whatever the client says. */
export const SHARED_HANDSHAKE = Buffer.from("RFB 003.008\n\x01\x01", "latin1");

export function setPixelFormat(): Buffer {
  const format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
  return Buffer.from([CLIENT_MESSAGE.set_pixel_format, 0, 0, 0, ...format]);
}

export function setEncodings(...encodings: number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * encodings.length);
  bytes.writeUInt8(CLIENT_MESSAGE.set_encodings, 0);
  bytes.writeUInt16BE(encodings.length, 2);
  encodings.forEach((encoding, index) => {
    bytes.writeInt32BE(encoding | 0, 4 + 4 * index);
  });
  return bytes;
}

export function updateRequest({
  width,
  height,
  incremental,
}: {
  width: number;
  height: number;
  incremental: boolean;
}): Buffer {
  return Buffer.concat([
    Buffer.from([CLIENT_MESSAGE.update_request, incremental ? 1 : 0]),
    u16(0, 0, width, height),
  ]);
}

export function key(sym: number, down: boolean): Buffer {
  return Buffer.concat([Buffer.from([CLIENT_MESSAGE.key, down ? 1 : 0, 0, 0]), u32(sym)]);
}

export function qemuKey(sym: number, code: number, down: boolean): Buffer {
  return Buffer.concat([Buffer.from([CLIENT_MESSAGE.qemu, 0]), u16(down ? 1 : 0), u32(sym, code)]);
}

export function pointer(mask: number, x: number, y: number): Buffer {
  return Buffer.concat([Buffer.from([CLIENT_MESSAGE.pointer, mask]), u16(x, y)]);
}

export function cutText(text: string | Buffer): Buffer {
  const content = Buffer.from(text as string, "latin1");
  return Buffer.concat([Buffer.from([CLIENT_MESSAGE.cut_text, 0, 0, 0]), u32(content.length), content]);
}

export function extendedCutText(flags: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(CLIENT_MESSAGE.cut_text, 0);
  head.writeInt32BE(-(content.length + 4), 4);
  head.writeUInt32BE(flags, 8);
  return Buffer.concat([head, content]);
}

export function continuousUpdates(): Buffer {
  return Buffer.concat([Buffer.from([CLIENT_MESSAGE.continuous_updates, 1]), u16(0, 0, 100, 100)]);
}

export function fence(length: number): Buffer {
  return Buffer.concat([
    Buffer.from([CLIENT_MESSAGE.fence, 0, 0, 0]),
    u32(0),
    Buffer.from([length]),
    Buffer.alloc(length, 7),
  ]);
}

export function setDesktopSize(width: number, height: number, screens = 1): Buffer {
  const one = Buffer.concat([u32(42), u16(0, 0, width, height), u32(0)]);
  return Buffer.concat([
    Buffer.from([CLIENT_MESSAGE.set_desktop_size, 0]),
    u16(width, height),
    Buffer.from([screens, 0]),
    ...Array.from({ length: screens }, () => one),
  ]);
}

function u16(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(2 * numbers.length);
  numbers.forEach((one, index) => {
    bytes.writeUInt16BE(one, 2 * index);
  });
  return bytes;
}

function u32(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((one, index) => {
    bytes.writeUInt32BE(one >>> 0, 4 * index);
  });
  return bytes;
}
