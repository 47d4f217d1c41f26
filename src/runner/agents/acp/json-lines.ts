/** A message is at most this large; a CLI that sends more is stopped, as nobody could show it. */
export const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines that hold a JSON object each. What is none is given to `other`, as some CLIs greet or warn there. */
export class JsonLines {
  #pending: Buffer[] = [];
  #pending_bytes = 0;

  /** Messages that are whole now, in order. Throws Error when a line is larger than MESSAGE_MAX_BYTES. */
  push(chunk: Buffer, other: (line: string) => void): object[] {
    const messages: object[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(this.#pending).toString("utf8").trim();
      this.#pending = [];
      this.#pending_bytes = 0;
      if (line === "") continue;
      const message = objectOf(line);
      if (message === null) other(line);
      else messages.push(message);
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return messages;
  }

  #keep(piece: Buffer): void {
    this.#pending_bytes += piece.length;
    if (this.#pending_bytes > MESSAGE_MAX_BYTES)
      throw new Error(`it sent a line of more than ${MESSAGE_MAX_BYTES} bytes`);
    this.#pending.push(piece);
  }
}

function objectOf(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    // The parser's words add nothing to the line itself.
    return null;
  }
}
