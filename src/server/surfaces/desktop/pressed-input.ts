import { CLIENT_MESSAGE } from "./rfb-messages.ts";

/** Keys held at the same time; nobody has more fingers than this. */
const KEYS_MAX = 64;

/** What one client holds down: keys and pointer buttons, so that they can be let go in its place. */
export class PressedInput {
  /** By key: the message that lets it go. */
  readonly #keys = new Map<string, Buffer>();
  #pointer: Buffer | null = null;

  /** Takes note of a key, QEMU key or pointer message. False for a key that is one too many and must not pass. */
  note(message: Buffer): boolean {
    const type = message.readUInt8(0);
    if (type === CLIENT_MESSAGE.pointer) {
      this.#pointer = message.readUInt8(1) === 0 ? null : Buffer.from(message);
      return true;
    }
    const qemu = type === CLIENT_MESSAGE.qemu;
    // A QEMU message names the key itself, which stays the same when what it means changes with Shift.
    const key = qemu ? `code ${message.readUInt32BE(8)}` : `sym ${message.readUInt32BE(4)}`;
    const down = qemu ? message.readUInt16BE(2) : message.readUInt8(1);
    if (down === 0) {
      this.#keys.delete(key);
      return true;
    }
    if (!this.#keys.has(key) && this.#keys.size >= KEYS_MAX) return false;
    const up = Buffer.from(message);
    if (qemu) up.writeUInt16BE(0, 2);
    else up.writeUInt8(0, 1);
    this.#keys.set(key, up);
    return true;
  }

  /** The messages that let everything go; afterwards nothing is held. */
  release(): Buffer[] {
    const released = [...this.#keys.values()].reverse();
    this.#keys.clear();
    if (this.#pointer !== null) {
      this.#pointer.writeUInt8(0, 1);
      released.push(this.#pointer);
      this.#pointer = null;
    }
    return released;
  }
}
