import { SCROLLBACK_MAX_BYTES } from "../../../contract/surfaces.ts";
import { TerminalModes } from "../../../contract/terminal-modes.ts";

/** So much is kept beyond what is shown again, so that old output is thrown away seldom and much of it at once. */
const SLACK_BYTES = 64 * 1024;
const FIRST_BYTES = 8 * 1024;
/** How far a good place to begin at is looked for. */
const CUT_MAX_BYTES = 4 * 1024;
const ESCAPE = 0x1b;
const NEWLINE = 0x0a;

/**
 * Sequences that a terminal answers (xterm's control sequences: device attributes and status, requests of modes, colours, sizes and strings).
 * Shown again they would be answered again, and whatever runs now would take the answers for typed.
 */
const QUESTIONS =
  /\x1b\[[>=?]?[\d;]*c|\x1b\[\??[\d;]*n|\x1bZ|\x1b\[\??[\d;]*\$p|\x1b\[>[\d;]*q|\x1b\[\?u|\x1b\[(?:1[1345689]|2[01])(?:;\d+)*t|\x1b\](?:\d+;)+\?(?:\x07|\x1b\\)|\x1bP(?:\$q|\+q)[^\x1b]*\x1b\\|\x05/g;

/** What a terminal has shown, the last SCROLLBACK_MAX_BYTES of it, for who comes (back) to it. */
export class Scrollback {
  #bytes = Buffer.alloc(FIRST_BYTES);
  #length = 0;
  /** As they were before the first byte that is kept. */
  readonly #modes = new TerminalModes();
  /** Whether there were such bytes. */
  #cut = false;

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += SLACK_BYTES) this.#put(chunk.subarray(at, at + SLACK_BYTES));
  }

  /**
   * Its last `max_bytes` at most, from a place where neither a character nor a sequence is cut, with the modes that held there before it and
   * without what a terminal would answer. It stands for the last `output_bytes` of the output, after which `modes` hold.
   */
  replay(max_bytes = SCROLLBACK_MAX_BYTES): { bytes: Buffer; output_bytes: number; modes: TerminalModes } {
    const kept = this.#bytes.subarray(0, this.#length);
    const start =
      kept.length <= max_bytes && !this.#cut ? 0 : goodStart(kept, Math.max(0, kept.length - max_bytes));
    const modes = this.#modes.copy();
    modes.see(kept.subarray(0, start));
    const before = Buffer.from(modes.restore());
    const shown = kept.subarray(start);
    modes.see(shown);
    const quiet = Buffer.from(shown.toString("latin1").replace(QUESTIONS, ""), "latin1");
    return { bytes: Buffer.concat([before, quiet]), output_bytes: shown.length, modes };
  }

  #put(chunk: Buffer): void {
    if (this.#length + chunk.length > SCROLLBACK_MAX_BYTES + SLACK_BYTES) {
      const from = this.#length + chunk.length - SCROLLBACK_MAX_BYTES;
      this.#modes.see(this.#bytes.subarray(0, from));
      this.#bytes.copyWithin(0, from, this.#length);
      this.#length -= from;
      this.#cut = true;
    }
    if (this.#length + chunk.length > this.#bytes.length) {
      const larger = Buffer.alloc(
        Math.min(
          Math.max(2 * this.#bytes.length, this.#length + chunk.length),
          SCROLLBACK_MAX_BYTES + SLACK_BYTES,
        ),
      );
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += chunk.copy(this.#bytes, this.#length);
  }
}

/** The first place from `from` on where a line or a sequence begins; where neither is near, a character. */
function goodStart(bytes: Buffer, from: number): number {
  const until = Math.min(bytes.length, from + CUT_MAX_BYTES);
  for (let at = from; at < until; at += 1) {
    if (bytes[at] === ESCAPE || (at > 0 && bytes[at - 1] === NEWLINE)) return at;
  }
  let at = from;
  // The bytes of a character after its first are 10xxxxxx (RFC 3629).
  while (at < until && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return at;
}
