import { PressedInput } from "./pressed-input.ts";
import {
  allowedEncodings,
  boundedDesktopSize,
  broken,
  CLIENT_MESSAGE,
  cutText,
  isClipboardCaps,
  messageLength,
} from "./rfb-messages.ts";

export type Rights = { readonly drives: boolean; readonly clipboard: boolean };

const SECURITY_NONE = 1;
const EMPTY = Buffer.alloc(0);

/**
 * Stands between an RFB client and the desktop's server, and lets through what only looks. Key, pointer, clipboard and resize messages pass
 * while the client drives, which is looked at once for each message, when enough of it is there. Holds no more than the beginning of a
 * message: a clipboard streams through, or is skipped.
 */
export class RfbFilter {
  readonly #rights: Rights;
  readonly #acted: () => void;
  readonly #pressed = new PressedInput();
  #stage: "version" | "security" | "init" | "messages" = "version";
  /** The beginning of a message, of which too little is there. */
  #held = EMPTY;
  /** What is still to come of a clipboard. */
  #body = { left_bytes: 0, passes: false };
  #drove = false;
  /** The size that this client asked for last. */
  #size: Buffer | null = null;

  /** `rights` is asked again for each message; `acted` is called for what somebody who drives does. */
  constructor(rights: Rights, acted: () => void) {
    this.#rights = rights;
    this.#acted = acted;
  }

  /** What of these bytes of the client goes on to the server. Throws AppError `invalid_request` for what no client may send. */
  take(chunk: Buffer): Buffer[] {
    const passed: Buffer[] = [];
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = EMPTY;
    while (bytes.length > 0) {
      if (this.#body.left_bytes > 0) {
        const part = bytes.subarray(0, this.#body.left_bytes);
        if (this.#body.passes) passed.push(part);
        this.#body.left_bytes -= part.length;
        bytes = bytes.subarray(part.length);
        continue;
      }
      const length = this.#length(bytes);
      if (length === null || bytes.length < length) {
        // A copy, so that what was read with it can be freed.
        this.#held = Buffer.from(bytes);
        break;
      }
      passed.push(...this.settle(), ...this.#passed(bytes.subarray(0, length)));
      bytes = bytes.subarray(length);
    }
    passed.push(...this.settle());
    return passed;
  }

  /**
   * What the server has to hear because the client drives since a moment ago, or does not any more: what it held down is let go, and the
   * screen takes the size that the one who drives asked for. To be called when rights change. Empty in the middle of a clipboard: then
   * `take` gives it later.
   */
  settle(): Buffer[] {
    if (this.#stage !== "messages" || this.unfinished || this.#drove === this.#rights.drives) return [];
    this.#drove = this.#rights.drives;
    if (!this.#drove) return this.#pressed.release();
    return this.#size === null ? [] : [this.#size];
  }

  /** Whether the server waits for the rest of a clipboard. */
  get unfinished(): boolean {
    return this.#body.passes && this.#body.left_bytes > 0;
  }

  #length(bytes: Buffer): number | null {
    if (this.#stage === "version") return 12;
    return this.#stage === "messages" ? messageLength(bytes) : 1;
  }

  #passed(message: Buffer): Buffer[] {
    switch (this.#stage) {
      case "version": {
        const version = commonVersion(message);
        // Before 3.7 the server decides on the security type alone.
        this.#stage = version === 3 ? "init" : "security";
        return [Buffer.from(`RFB 003.00${version}\n`)];
      }
      case "security":
        if (message.readUInt8(0) !== SECURITY_NONE) throw broken("a security type that was not offered");
        this.#stage = "init";
        return [message];
      case "init":
        this.#stage = "messages";
        // Others may be there, whatever this client wants.
        return [Buffer.from([1])];
      case "messages":
        return this.#judged(message);
    }
  }

  #judged(message: Buffer): Buffer[] {
    switch (message.readUInt8(0)) {
      case CLIENT_MESSAGE.set_encodings:
        return [allowedEncodings(message)];
      case CLIENT_MESSAGE.key:
      case CLIENT_MESSAGE.pointer:
      case CLIENT_MESSAGE.qemu:
        if (!this.#drove || !this.#pressed.note(message)) return [];
        this.#acted();
        return [message];
      case CLIENT_MESSAGE.set_desktop_size:
        this.#size = boundedDesktopSize(message);
        return this.#drove ? [this.#size] : [];
      case CLIENT_MESSAGE.cut_text:
        return this.#cutText(message);
      case CLIENT_MESSAGE.xvp:
        return [];
      default:
        return [message];
    }
  }

  #cutText(head: Buffer): Buffer[] {
    const { extended, body_bytes } = cutText(head);
    const looks = extended && isClipboardCaps(head, body_bytes);
    const passes = looks || (this.#drove && this.#rights.clipboard);
    this.#body = { left_bytes: body_bytes, passes };
    if (passes && !looks) this.#acted();
    return passes ? [head] : [];
  }
}

/** The minor version of RFB 3 that both sides speak (RFC 6143, 7.1.1): 3, 7 or 8. */
function commonVersion(message: Buffer): 3 | 7 | 8 {
  const minor = /^RFB 003\.(\d{3})\n$/.exec(message.toString("latin1"))?.[1];
  if (minor === undefined) throw broken("no version of RFB 3");
  if (Number(minor) >= 8) return 8;
  return Number(minor) === 7 ? 7 : 3;
}
