/** Content of the shortest kind of frame (RFC 6455, 5.2): what is this short may be a heartbeat. */
const SHORT_BYTES = 125;
const HEAD_MAX_BYTES = 14;

/**
 * Listens to what a client sends over a WebSocket, and says when a person may have sent it: data that is no mere repetition. Pings, pongs
 * and the same short message over and over, with which pages keep a connection alive, are no work. Holds one short frame at most, and
 * changes nothing.
 */
export class HeardFrames {
  readonly #heard: () => void;
  #head = Buffer.alloc(0);
  #left = 0;
  /** The frame that is being collected, when it is a short one of data. */
  #short: { opcode: number; mask: Buffer; bytes: Buffer[] } | null = null;
  #last = "";

  constructor(heard: () => void) {
    this.#heard = heard;
  }

  take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const piece = chunk.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        this.#short?.bytes.push(piece);
        if (this.#left === 0) this.#ended();
        continue;
      }
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + 1)]);
      at += 1;
      if (this.#head.length === headLength(this.#head)) this.#begun();
    }
  }

  #begun(): void {
    const head = this.#head;
    this.#head = Buffer.alloc(0);
    const opcode = (head[0] ?? 0) & 0x0f;
    const length = (head[1] ?? 0) & 0x7f;
    this.#left =
      length < 126 ? length : length === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    const isData = opcode <= 2;
    if (isData && length > SHORT_BYTES) this.#heard();
    this.#short = isData && length <= SHORT_BYTES ? { opcode, mask: maskOf(head), bytes: [] } : null;
    if (this.#left === 0) this.#ended();
  }

  #ended(): void {
    if (this.#short === null) return;
    const { opcode, mask, bytes } = this.#short;
    this.#short = null;
    const content = Buffer.concat(bytes).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    const said = `${opcode} ${Buffer.from(content).toString("latin1")}`;
    if (said !== this.#last) this.#heard();
    this.#last = said;
  }
}

function maskOf(head: Buffer): Buffer {
  return ((head[1] ?? 0) & 0x80) === 0 ? Buffer.alloc(4) : head.subarray(-4);
}

/** How long the head of a frame is, as far as its first bytes tell. */
function headLength(head: Buffer): number {
  if (head.length < 2) return HEAD_MAX_BYTES;
  const length = (head[1] ?? 0) & 0x7f;
  const extended = length === 126 ? 2 : length === 127 ? 8 : 0;
  return 2 + extended + (((head[1] ?? 0) & 0x80) === 0 ? 0 : 4);
}
