import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../../../contract/errors.ts";
import {
  continuousUpdates,
  cutText,
  extendedCutText,
  fence,
  HANDSHAKE,
  key,
  pointer,
  qemuKey,
  SHARED_HANDSHAKE,
  setDesktopSize,
  setEncodings,
  setPixelFormat,
  updateRequest,
} from "./rfb-client-messages.fake.ts";
import { RfbFilter } from "./rfb-filter.ts";
import { CUT_TEXT_MAX_BYTES } from "./rfb-messages.ts";

const A = 0x61;
const SHIFT = 0xffe1;
const RAW = 0;
const EXTENDED_MOUSE_BUTTONS = -316;
const CLIPBOARD_CAPS = 0x1f00_0001;
const CLIPBOARD_PROVIDE = 0x1000_0001;
const CLIPBOARD_REQUEST = 0x0200_0001;

const XVP = Buffer.from([250, 0, 1, 2]);
const LOOKS = [
  setPixelFormat(),
  setEncodings(RAW, -308, -312, -313, 0xc0a1_e5ce),
  updateRequest({ width: 1280, height: 800, incremental: true }),
  continuousUpdates(),
  fence(0),
  fence(64),
  extendedCutText(CLIPBOARD_CAPS, Buffer.alloc(4)),
];
const ACTS = [
  key(A, true),
  key(A, false),
  qemuKey(A, 30, true),
  qemuKey(A, 30, false),
  pointer(1, 20, 30),
  pointer(0, 20, 30),
  pointer(0x80, 20, 30),
  cutText(""),
  cutText("pasted"),
  extendedCutText(CLIPBOARD_PROVIDE, Buffer.from("zzz")),
  extendedCutText(CLIPBOARD_REQUEST),
  setDesktopSize(1000, 700),
];
/** Every kind of message, those that act between those that look. */
const ALL = [...LOOKS, ...ACTS, XVP].flatMap((message, index) => [
  message,
  LOOKS[index % LOOKS.length] ?? message,
]);

test("what only looks passes, and nothing else does of one who does not drive, however the bytes are cut", () => {
  const looks = ALL.filter((message) => LOOKS.includes(message));
  const expected = Buffer.concat([SHARED_HANDSHAKE, ...looks]);
  const sent = Buffer.concat([HANDSHAKE, ...ALL]);
  for (const size of [1, 2, 3, 5, 7, 11, 13, 64, 1000, sent.length])
    assert.deepEqual(passed(filterFor({ drives: false }), sent, size), expected, `in pieces of ${size}`);
});

test("of one who drives everything passes but xvp, however the bytes are cut", () => {
  const expected = Buffer.concat([SHARED_HANDSHAKE, ...ALL.filter((message) => message !== XVP)]);
  const sent = Buffer.concat([HANDSHAKE, ...ALL]);
  for (const size of [1, 2, 3, 5, 7, 11, 13, 64, 1000, sent.length])
    assert.deepEqual(passed(filterFor({ drives: true }), sent, size), expected, `in pieces of ${size}`);
});

test("the handshake of older clients is known, and a version or a security type that is none of ours is refused", () => {
  const through = (text: string) => passed(filterFor({}), Buffer.from(text, "latin1"), 1).toString("latin1");
  assert.equal(through("RFB 003.003\n\x00"), "RFB 003.003\n\x01");
  assert.equal(through("RFB 003.005\n\x00"), "RFB 003.003\n\x01");
  assert.equal(through("RFB 003.007\n\x01\x00"), "RFB 003.007\n\x01\x01");
  assert.equal(through("RFB 003.889\n\x01\x01"), "RFB 003.008\n\x01\x01");
  for (const wrong of ["RFB 004.001\n", "GET / HTTP/1", "RFB 003.00a\n", "RFB 003.008\n\x02"])
    assert.throws(() => through(wrong), refused, JSON.stringify(wrong));
});

test("the server does not learn of what would make the client's messages another length, nor of what turns it off", () => {
  const asked = setEncodings(7, 16, RAW, -316, -309, -305, -259, -239, -9999, -32, 0x574d_5664, 0xc0a1_e5ce);
  const filter = ready({ drives: true });
  const kept = Buffer.concat(filter.take(asked));
  assert.deepEqual(kept, setEncodings(7, 16, RAW, -239, -32, 0x574d_5664, 0xc0a1_e5ce));
  assert.deepEqual(Buffer.concat(filter.take(setEncodings(EXTENDED_MOUSE_BUTTONS))), setEncodings());
});

test("the clipboard passes from who drives, unless it is switched off; what a client can do is said all the same", () => {
  const caps = extendedCutText(CLIPBOARD_CAPS, Buffer.alloc(4));
  const filter = ready({ drives: true, clipboard: false });
  assert.deepEqual(
    Buffer.concat(filter.take(Buffer.concat([cutText("no"), caps, key(A, true)]))),
    Buffer.concat([caps, key(A, true)]),
  );
});

test("nothing hides in an extended clipboard message behind what its flags account for, where the server reads on", () => {
  const typed = Buffer.concat([key(A, true), key(A, false)]);
  const actions = {
    caps: 0x0100_0000,
    many: 0x1f00_0003,
    request: 0x0200_0001,
    peek: 0x0400_0000,
    notify: 0x0800_0001,
  };
  for (const [action, flags] of Object.entries(actions))
    for (const drives of [true, false]) {
      const hidden = extendedCutText(flags, typed);
      if (action === "many") hidden.writeUInt32BE(flags & 0xffff_0000, 8);
      assert.throws(() => ready({ drives }).take(hidden), refused, action);
      assert.throws(
        () => ready({ drives }).take(extendedCutText(flags, Buffer.alloc(1000))),
        refused,
        action,
      );
    }
  const two_sizes = extendedCutText(0x0100_0003, Buffer.alloc(8));
  assert.deepEqual(Buffer.concat(ready({}).take(two_sizes)), two_sizes);
});

test("a clipboard streams through, or past, without being kept", () => {
  const text = Buffer.alloc(CUT_TEXT_MAX_BYTES, "x");
  const message = cutText(text);
  const part = message.subarray(0, message.length / 2);
  const driver = ready({ drives: true });
  assert.equal(
    Buffer.concat(driver.take(part)).length,
    part.length,
    "half of it passes before the rest is there",
  );
  assert.ok(driver.unfinished);
  driver.take(message.subarray(part.length));
  assert.ok(!driver.unfinished);
  const other = ready({ drives: false });
  assert.deepEqual(other.take(part), []);
  assert.deepEqual(other.take(Buffer.concat([message.subarray(part.length), fence(1)])), [fence(1)]);
});

test("what breaks the protocol is refused in a sentence", () => {
  const oversized = Buffer.from([6, 0, 0, 0, ...u32(CUT_TEXT_MAX_BYTES + 1)]);
  const undersized = Buffer.from([6, 0, 0, 0, ...u32(-3 >>> 0)]);
  const lowest = Buffer.from([6, 0, 0, 0, 0x80, 0, 0, 0]);
  const encodings = Buffer.from([2, 0, 0xff, 0xff]);
  const wrong = [oversized, undersized, lowest, encodings, Buffer.from([255, 1]), fence(65).subarray(0, 9)];
  for (const type of [1, 7, 12, 127, 249, 252, 253, 254]) wrong.push(Buffer.from([type]));
  for (const bytes of wrong)
    for (const drives of [true, false])
      assert.throws(() => passed(ready({ drives }), bytes, 1), refused, bytes.toString("hex"));
});

test("one who loses the desktop leaves no key and no button held down", () => {
  const rights = { drives: true, clipboard: true };
  const filter = readyWith(rights);
  const held = [key(SHIFT, true), key(A, true), qemuKey(A, 30, true), pointer(5, 20, 30), key(A, false)];
  filter.take(Buffer.concat(held));
  rights.drives = false;
  assert.deepEqual(filter.settle(), [qemuKey(A, 30, false), key(SHIFT, false), pointer(0, 20, 30)]);
  assert.deepEqual(filter.settle(), [], "once");
  assert.deepEqual(filter.take(Buffer.concat([key(SHIFT, false), pointer(0, 1, 1), pointer(1, 1, 1)])), []);
  rights.drives = true;
  filter.take(key(A, true));
  rights.drives = false;
  assert.deepEqual(
    filter.take(key(A, false)),
    [key(A, false)],
    "the next message finds it out too, and is dropped itself",
  );
});

test("a key that is let go under another name than it was pressed is let go", () => {
  const rights = { drives: true, clipboard: true };
  const filter = readyWith(rights);
  filter.take(Buffer.concat([qemuKey(A, 30, true), qemuKey(0x41, 30, false)]));
  rights.drives = false;
  assert.deepEqual(filter.settle(), []);
});

test("what is held down is let go behind the clipboard that is on its way, not in it", () => {
  const rights = { drives: true, clipboard: true };
  const filter = readyWith(rights);
  const message = cutText("0123456789");
  filter.take(Buffer.concat([key(A, true), message.subarray(0, 12)]));
  rights.drives = false;
  assert.deepEqual(filter.settle(), []);
  assert.ok(filter.unfinished);
  const rest = Buffer.concat(filter.take(Buffer.concat([message.subarray(12), key(A, true)])));
  assert.deepEqual(rest, Buffer.concat([message.subarray(12), key(A, false)]));
});

test("more keys than anybody can hold do not pass", () => {
  const filter = ready({ drives: true });
  const keys = Array.from({ length: 1000 }, (_, sym) => key(sym + 1, true));
  assert.equal(filter.take(Buffer.concat(keys)).length, 64);
  assert.equal(filter.take(key(1, true)).length, 1, "one that is held repeats");
});

test("a size is bounded, has one screen, and is asked for again by one who drives from now on", () => {
  const rights = { drives: true, clipboard: true };
  const filter = readyWith(rights);
  assert.deepEqual(filter.take(setDesktopSize(1, 65_535)), [setDesktopSize(320, 2160)]);
  assert.deepEqual(filter.take(setDesktopSize(1000, 700, 3)), [setDesktopSize(1000, 700)]);
  const without = setDesktopSize(1000, 700, 0);
  assert.equal(filter.take(without)[0]?.length, 24, "no screens are one");
  rights.drives = false;
  assert.deepEqual(filter.take(setDesktopSize(900, 600)), []);
  rights.drives = true;
  assert.deepEqual(filter.settle(), [setDesktopSize(900, 600)]);
});

test("what somebody who drives does is told, what looks is not", () => {
  let acts = 0;
  const rights = { drives: true, clipboard: true };
  const filter = new RfbFilter(rights, () => {
    acts += 1;
  });
  filter.take(Buffer.concat([HANDSHAKE, ...LOOKS]));
  assert.equal(acts, 0);
  filter.take(Buffer.concat([key(A, true), pointer(0, 1, 1), cutText("x")]));
  assert.equal(acts, 3);
  rights.drives = false;
  filter.take(Buffer.concat([key(A, true), pointer(0, 1, 1), cutText("x")]));
  assert.equal(acts, 3);
});

test("whatever bytes come, cut however: a server finds no input in what passes of one who does not drive", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const random = randomFrom(seed);
    const sent = noise(random);
    const filter = ready({ drives: false });
    const out: Buffer[] = [];
    let fault: unknown = null;
    try {
      for (let at = 0; at < sent.length; ) {
        const size = 1 + random(40);
        out.push(...filter.take(sent.subarray(at, at + size)));
        at += size;
      }
    } catch (error) {
      fault = error;
    }
    assert.ok(fault === null || refused(fault), `seed ${seed}: ${String(fault)}`);
    const whole: Buffer[] = [];
    assert.deepEqual(typesRead(Buffer.concat(out)).filter(isInput), [], `seed ${seed}`);
    // The same bytes at once give the same, up to where they are refused.
    const at_once = ready({ drives: false });
    try {
      whole.push(...at_once.take(sent));
      assert.equal(fault, null, `seed ${seed}`);
      assert.deepEqual(Buffer.concat(whole), Buffer.concat(out), `seed ${seed}`);
    } catch (error) {
      assert.ok(refused(error) && fault !== null, `seed ${seed}: ${String(error)}`);
    }
  }
});

function filterFor(rights: { drives?: boolean; clipboard?: boolean }): RfbFilter {
  return new RfbFilter({ drives: false, clipboard: true, ...rights }, () => undefined);
}

/** One whose handshake is over. */
function ready(rights: { drives?: boolean; clipboard?: boolean }): RfbFilter {
  const filter = filterFor(rights);
  filter.take(HANDSHAKE);
  return filter;
}

function readyWith(rights: { drives: boolean; clipboard: boolean }): RfbFilter {
  const filter = new RfbFilter(rights, () => undefined);
  filter.take(HANDSHAKE);
  return filter;
}

function passed(filter: RfbFilter, bytes: Buffer, size: number): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(...filter.take(bytes.subarray(at, at + size)));
  return Buffer.concat(out);
}

function refused(error: unknown): boolean {
  return (
    error instanceof AppError &&
    error.code === "invalid_request" &&
    /what this desktop does not take/.test(error.message)
  );
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Mostly messages as they should be, some with a byte changed, some rubbish. */
function noise(random: (below: number) => number): Buffer {
  const pieces = Array.from({ length: 1 + random(20) }, () => {
    const message = Buffer.from(ALL[random(ALL.length)] ?? []);
    if (random(4) === 0 && message.length > 0) message[random(message.length)] = random(256);
    return random(12) === 0 ? Buffer.from(Array.from({ length: random(30) }, () => random(256))) : message;
  });
  return Buffer.concat(pieces);
}

/** A small generator with a seed, so that a failure can be looked at again (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const isInput = (type: string) => !["look", "caps"].includes(type);

/** What a server reads in a stream of messages: written from TigerVNC's SMsgReader, and apart from the code under test. */
function typesRead(bytes: Buffer): string[] {
  const read: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt8(at);
    const u16 = (offset: number) => (at + offset + 2 <= bytes.length ? bytes.readUInt16BE(at + offset) : 0);
    const lookingLengths: Record<number, number> = {
      0: 20,
      2: 4 + 4 * u16(2),
      3: 10,
      150: 10,
      248: 9 + (bytes[at + 8] ?? 0),
    };
    const length = lookingLengths[type];
    if (length !== undefined) {
      read.push("look");
      at += length;
      continue;
    }
    if (type !== 6) return [...read, `type ${type}`];
    const size = at + 8 <= bytes.length ? bytes.readInt32BE(at + 4) : 0;
    const caps = size < 0 && ((bytes[at + 8] ?? 0) & 1) === 1;
    read.push(caps ? "caps" : "clipboard");
    // Of caps it reads as many sizes as there are formats, however long the message calls itself.
    const formats = u16(10).toString(2).replaceAll("0", "").length;
    at += caps ? 12 + 4 * formats : 8 + Math.abs(size);
  }
  return read;
}
