import { AppError } from "../../../contract/errors.ts";

/**
 * What an RFB client says after the handshake: RFC 6143, 7.5, and the extensions of the community's rfbproto.rst that TigerVNC's server
 * understands. Their lengths follow from the bytes alone, whatever was negotiated, as long as SetEncodings passes through `allowedEncodings`:
 * so filter and server never disagree where a message ends.
 */
export const CLIENT_MESSAGE = {
  set_pixel_format: 0,
  set_encodings: 2,
  update_request: 3,
  key: 4,
  pointer: 5,
  cut_text: 6,
  continuous_updates: 150,
  fence: 248,
  xvp: 250,
  set_desktop_size: 251,
  qemu: 255,
} as const;

/** What is pasted into a desktop at once. */
export const CUT_TEXT_MAX_BYTES = 8 * 1024 * 1024;
/** The highest byte of an extended clipboard message's flags is what it does: it says what a client can do, or provides a clipboard. */
const CLIPBOARD_ACTION_SHIFT = 24;
const CLIPBOARD_CAPS = 0x01;
const CLIPBOARD_PROVIDE = 0x10;
const ENCODINGS_MAX = 512;
const FENCE_MAX_BYTES = 64;
const QEMU_EXTENDED_KEY = 0;

/** Lengths that do not depend on the content. */
const FIXED: ReadonlyMap<number, number> = new Map([
  [CLIENT_MESSAGE.set_pixel_format, 20],
  [CLIENT_MESSAGE.update_request, 10],
  [CLIENT_MESSAGE.key, 8],
  [CLIENT_MESSAGE.pointer, 6],
  [CLIENT_MESSAGE.continuous_updates, 10],
  [CLIENT_MESSAGE.xvp, 4],
]);

/**
 * The length of the message that begins here, in bytes; of ClientCutText only that of its head (`cutText`). Null while too little is there to
 * tell. Throws AppError `invalid_request` for what no client may send.
 */
export function messageLength(bytes: Buffer): number | null {
  const type = bytes.readUInt8(0);
  const fixed = FIXED.get(type);
  if (fixed !== undefined) return fixed;
  switch (type) {
    case CLIENT_MESSAGE.set_encodings: {
      if (bytes.length < 4) return null;
      const encodings = bytes.readUInt16BE(2);
      if (encodings > ENCODINGS_MAX) throw broken(`it listed ${encodings} encodings`);
      return 4 + 4 * encodings;
    }
    case CLIENT_MESSAGE.cut_text: {
      if (bytes.length < 8) return null;
      return cutText(bytes).extended ? 12 : 8;
    }
    case CLIENT_MESSAGE.fence: {
      if (bytes.length < 9) return null;
      const length = bytes.readUInt8(8);
      if (length > FENCE_MAX_BYTES) throw broken(`a fence of ${length} bytes`);
      return 9 + length;
    }
    case CLIENT_MESSAGE.set_desktop_size:
      return bytes.length < 7 ? null : 8 + 16 * bytes.readUInt8(6);
    case CLIENT_MESSAGE.qemu: {
      if (bytes.length < 2) return null;
      const kind = bytes.readUInt8(1);
      if (kind !== QEMU_EXTENDED_KEY) throw broken(`a QEMU message ${kind}`);
      return 12;
    }
    default:
      throw broken(`a message of type ${type}`);
  }
}

/** What follows the head of a ClientCutText. In the extended form, whose length is written negative, 4 bytes of flags belong to the head. */
export function cutText(head: Buffer): { extended: boolean; body_bytes: number } {
  const length = head.readInt32BE(4);
  const size = Math.abs(length);
  if (size > CUT_TEXT_MAX_BYTES) throw broken(`a clipboard of ${size} bytes`);
  if (length >= 0) return { extended: false, body_bytes: length };
  if (size < 4) throw broken("an extended clipboard message without flags");
  return { extended: true, body_bytes: size - 4 };
}

/**
 * Whether the head of an extended ClientCutText only says what the client can do, which carries no clipboard. Throws AppError
 * `invalid_request` for a body that the flags do not account for: TigerVNC's server reads what the flags say, and takes the rest for messages.
 */
export function isClipboardCaps(head: Buffer, body_bytes: number): boolean {
  const flags = head.readUInt32BE(8);
  const action = flags >>> CLIPBOARD_ACTION_SHIFT;
  if (action === CLIPBOARD_PROVIDE) return false;
  const is_caps = (action & CLIPBOARD_CAPS) !== 0;
  if (body_bytes !== (is_caps ? 4 * formatsIn(flags) : 0))
    throw broken(`an extended clipboard message with ${body_bytes} bytes that its flags do not account for`);
  return is_caps;
}

/** How many of the 16 formats these flags name; in caps each has a size of 4 bytes. */
function formatsIn(flags: number): number {
  let formats = 0;
  for (let bit = 0; bit < 16; bit++) formats += (flags >>> bit) & 1;
  return formats;
}

/**
 * Pseudo-encodings that leave the client's own messages as `messageLength` knows them. Not among them: ExtendedMouseButtons (-316), after
 * which a pointer message may be one byte longer; xvp (-309), by which a client turns a machine off; audio (-259) and gii (-305).
 */
const PSEUDO_ENCODINGS: readonly (readonly [lowest: number, highest: number])[] = [
  [-32, -23], // JPEG quality
  [-223, -223], // desktop size
  [-224, -224], // last rectangle
  [-240, -239], // cursors
  [-256, -247], // compression
  [-258, -258], // QEMU extended key
  [-261, -260], // LED state, tight PNG
  [-308, -307], // extended desktop size, desktop name
  [-314, -312], // fence, continuous updates, cursor with alpha
  [-512, -412], // fine JPEG quality
  [-768, -763], // JPEG subsampling
  [0xc0a1_e5ce - 2 ** 32, 0xc0a1_e5ce - 2 ** 32], // extended clipboard
];

/** A SetEncodings without what the server must not learn that the client can. */
export function allowedEncodings(message: Buffer): Buffer {
  const kept: number[] = [];
  for (let at = 4; at < message.length; at += 4) {
    const encoding = message.readInt32BE(at);
    const allowed = PSEUDO_ENCODINGS.some(([lowest, highest]) => encoding >= lowest && encoding <= highest);
    if (encoding >= 0 || allowed) kept.push(encoding);
  }
  const bytes = Buffer.alloc(4 + 4 * kept.length);
  bytes.writeUInt8(CLIENT_MESSAGE.set_encodings, 0);
  bytes.writeUInt16BE(kept.length, 2);
  kept.forEach((encoding, index) => {
    bytes.writeInt32BE(encoding, 4 + 4 * index);
  });
  return bytes;
}

const SIZE_MIN = { width: 320, height: 240 };
const SIZE_MAX = { width: 3840, height: 2160 };

/** A SetDesktopSize within bounds and of one screen, the first that was asked for. */
export function boundedDesktopSize(message: Buffer): Buffer {
  const width = Math.min(Math.max(message.readUInt16BE(2), SIZE_MIN.width), SIZE_MAX.width);
  const height = Math.min(Math.max(message.readUInt16BE(4), SIZE_MIN.height), SIZE_MAX.height);
  const bytes = Buffer.alloc(24);
  bytes.writeUInt8(CLIENT_MESSAGE.set_desktop_size, 0);
  bytes.writeUInt8(1, 6);
  if (message.length > 8) message.copy(bytes, 8, 8, 12);
  for (const at of [2, 16]) {
    bytes.writeUInt16BE(width, at);
    bytes.writeUInt16BE(height, at + 2);
  }
  return bytes;
}

export function broken(what: string): AppError {
  return new AppError({
    code: "invalid_request",
    message: `The VNC client was cut off: it sent what this desktop does not take (${what}).`,
  });
}
