const TILDE = 0x7e;
const DOT = 0x2e;
const CARRIAGE_RETURN = 0x0d;
const NEWLINE = 0x0a;

/** Looks in what is typed for `~.` at the beginning of a line, by which a person leaves, as with ssh. `~~` there is one tilde. */
export class EscapeKeys {
  #at_line_start = true;
  #held = false;

  /** What is to be sent of it; `left` when the person leaves, whatever follows. */
  type(keys: Buffer): { send: Buffer; left: boolean } {
    const send: number[] = [];
    for (const key of keys) {
      if (this.#held) {
        this.#held = false;
        if (key === DOT) return { send: Buffer.from(send), left: true };
        send.push(TILDE);
        if (key === TILDE) continue;
      } else if (key === TILDE && this.#at_line_start) {
        this.#held = true;
        this.#at_line_start = false;
        continue;
      }
      send.push(key);
      this.#at_line_start = key === CARRIAGE_RETURN || key === NEWLINE;
    }
    return { send: Buffer.from(send), left: false };
  }
}
