import type { Duplex } from "node:stream";
import { controlFrame } from "../../../contract/frames.ts";
import type { ProcessNews } from "../../../contract/surfaces.ts";

/** Output that waits for one connection. What comes while it is full is lost to this connection, and to no other. */
export const VIEWER_QUEUE_MAX_BYTES = 1024 * 1024;

/** One connection to a terminal, which may be slower than the others. */
export class Viewer {
  readonly #stream: Duplex;
  readonly #caughtUp: (skipped_bytes: number) => void;
  #skipped_bytes = 0;

  /** `room` is called when it can take more again, `caughtUp` before that, when output was lost to it. */
  constructor(stream: Duplex, told: { room: () => void; caughtUp: (skipped_bytes: number) => void }) {
    this.#stream = stream;
    this.#caughtUp = told.caughtUp;
    stream.on("drain", () => {
      this.#catchUp();
      told.room();
    });
  }

  /** Whether it would send more at once. */
  get has_room(): boolean {
    return !this.#stream.writableNeedDrain && this.#skipped_bytes === 0;
  }

  /** `frame` is the output of `output_bytes` as it is sent. */
  show(frame: Buffer, output_bytes: number): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    if (this.#skipped_bytes > 0 || this.#stream.writableLength + frame.length > VIEWER_QUEUE_MAX_BYTES)
      this.#skipped_bytes += output_bytes;
    else this.#stream.write(frame);
  }

  tell(news: ProcessNews): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.write(controlFrame(news));
  }

  /** Sends what is still to be sent and the last word, and ends the connection. */
  end(news: ProcessNews): void {
    this.#catchUp();
    this.tell(news);
    this.#stream.end();
  }

  #catchUp(): void {
    const skipped_bytes = this.#skipped_bytes;
    this.#skipped_bytes = 0;
    if (skipped_bytes > 0) this.#caughtUp(skipped_bytes);
  }
}
