import type { Event } from "../../../../src/contract/event.ts";
import type { Feed } from "../../feed/feed.ts";
import type { OutputStream } from "../../text/terminal-line.ts";
import { eventsPage, NEWEST } from "./events-page.ts";
import type { EventOf } from "./job-events.ts";

/** What a step wrote at once. `text` begins and ends where the writing did, also within a line. */
export type OutputChunk = { seq: number; at_ms: number; stream: OutputStream; text: string };

export type StepOutput = {
  /** Ascending by seq; without gaps from the first that is there. */
  chunks: readonly OutputChunk[];
  /** Whether there is more before the first. */
  earlier: boolean;
  loading: boolean;
  error: unknown;
};

/** The events of a page, which grow as long as what they bring is little: output comes in pieces of one byte, and of 8 KiB. */
const PAGES_EVENTS = [16, 64, 256] as const;
const PAGE_MAX_EVENTS = 1024;
/** What is loaded at once, at least; and lines enough for a card. */
const LOADED_CHARS = 64 * 1024;
const LOADED_LINES = 200;
/** Live output that a card keeps; what is older is loaded again by need. */
const KEPT_CHARS = 512 * 1024;
const TOLD_EVERY_MS = 80;

export type StepOutputOptions = {
  job_id: string;
  step: number;
  /** Of `step.started`: no output is before it. */
  started_seq: number;
  feed: Pick<Feed, "onEvents" | "onBegin" | "watch">;
};

const NOTHING: StepOutput = { chunks: [], earlier: true, loading: false, error: null };

/** Reads the output of one step from its end back by need, and goes on with what it writes. */
export class StepOutputSource {
  readonly #options: StepOutputOptions;
  readonly #closed = new AbortController();
  readonly #listeners = new Set<() => void>();
  #told = NOTHING;
  #chunks: readonly OutputChunk[] = [];
  #earlier = true;
  #error: unknown = null;
  #busy = 0;
  /** Where to read on backwards: output of other steps may be between. */
  #before = NEWEST;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #offs: (() => void)[] = [];
  #joined = false;
  #early: EventOf<"step.output">[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: StepOutputOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed.abort();
    for (const off of this.#offs) off();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  readonly subscribe = (changed: () => void): (() => void) => {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  };

  readonly current = (): StepOutput => this.#told;

  /** Reads the last that an ended step wrote. */
  readTail(ended_seq: number): void {
    this.#before = ended_seq;
    void this.#work(() => this.#readBack());
  }

  /** Reads the last that a step wrote so far, and then all that it writes, until `end` or `close`. */
  follow(): void {
    const { feed, job_id } = this.#options;
    this.#offs = [
      feed.onEvents((events) => this.#hear(events)),
      feed.onBegin(() => void this.#work(() => this.#join())),
      feed.watch(job_id),
    ];
    void this.#work(async () => {
      await this.#readBack();
      if (this.#early.length > 0) await this.#join();
    });
  }

  get follows(): boolean {
    return this.#offs.length > 0;
  }

  /** No more is to come: what may have been missed is read, and the live stream let go. */
  end(ended_seq: number): void {
    for (const off of this.#offs) off();
    this.#offs = [];
    void this.#work(() => this.#readOn(ended_seq));
  }

  readEarlier(): void {
    if (this.#busy === 0) void this.#work(() => this.#readBack());
  }

  async #readBack(): Promise<void> {
    let chars = 0;
    let lines = 0;
    for (let page = 0; this.#earlier && chars < LOADED_CHARS && lines < LOADED_LINES; page += 1) {
      const limit = PAGES_EVENTS[page] ?? PAGE_MAX_EVENTS;
      const events = await this.#page({ before: this.#before, limit });
      this.#before = events[0]?.seq ?? 0;
      this.#earlier = events.length === limit && this.#before > this.#options.started_seq;
      // A page is decoded by itself: where it begins within a character is not known.
      const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
      const older = this.#ours(events).map((event) => chunkOf(event, decoders));
      for (const { text } of older) {
        chars += text.length;
        lines += text.split("\n").length - 1;
      }
      this.#chunks = [...older, ...this.#chunks];
      this.#tell();
    }
  }

  /**
   * The live stream tells our output from some moment after it was asked to, so what is between the stored output that was read and the first
   * that was told is read once that has come.
   */
  async #join(): Promise<void> {
    this.#joined = false;
    await this.#readOn(NEWEST);
    this.#append(this.#early);
    this.#early = [];
    this.#joined = true;
  }

  async #readOn(before: number): Promise<void> {
    const after = this.#chunks.at(-1)?.seq ?? this.#options.started_seq;
    const events = await this.#page({ after, before, limit: PAGE_MAX_EVENTS });
    this.#append(this.#ours(events));
    // With bounds at both ends the newest come: what is older is further away than a card shows.
    if (events.length === PAGE_MAX_EVENTS) this.#forgetBefore(events[0]?.seq ?? after);
  }

  #forgetBefore(seq: number): void {
    this.#chunks = this.#chunks.filter((chunk) => chunk.seq >= seq);
    this.#before = seq;
    this.#earlier = true;
  }

  #hear(events: readonly Event[]): void {
    const ours = this.#ours(events);
    if (ours.length === 0) return;
    if (!this.#joined) {
      this.#early.push(...ours);
      if (this.#busy === 0) void this.#work(() => this.#join());
      return;
    }
    this.#append(ours);
  }

  #append(events: readonly EventOf<"step.output">[]): void {
    const last = this.#chunks.at(-1)?.seq ?? 0;
    const news = events.filter(({ seq }) => seq > last).map((event) => chunkOf(event, this.#decoders));
    if (news.length === 0) return;
    this.#chunks = [...this.#chunks, ...news];
    let chars = this.#chunks.reduce((sum, { text }) => sum + text.length, 0);
    let drop = 0;
    while (chars > KEPT_CHARS) {
      chars -= this.#chunks[drop]?.text.length ?? 0;
      drop += 1;
    }
    if (drop > 0) this.#forgetBefore(this.#chunks[drop]?.seq ?? 0);
    this.#timer ??= setTimeout(() => this.#tell(), TOLD_EVERY_MS);
  }

  #ours(events: readonly Event[]): EventOf<"step.output">[] {
    const { job_id, step, started_seq } = this.#options;
    return events.filter(
      (event): event is EventOf<"step.output"> =>
        event.type === "step.output" &&
        event.job_id === job_id &&
        event.data.step === step &&
        event.seq > started_seq,
    );
  }

  #page(wanted: { after?: number; before?: number; limit: number }): Promise<Event[]> {
    return eventsPage(this.#options.job_id, { types: "step.output", ...wanted }, this.#closed.signal);
  }

  async #work(work: () => Promise<void>): Promise<void> {
    this.#busy += 1;
    this.#error = null;
    this.#tell();
    try {
      await work();
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#error = error;
    }
    this.#busy -= 1;
    this.#tell();
  }

  #tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#closed.signal.aborted) return;
    this.#told = {
      chunks: this.#chunks,
      earlier: this.#earlier,
      loading: this.#busy > 0,
      error: this.#error,
    };
    for (const listener of this.#listeners) listener();
  }
}

export type Decoders = Record<OutputStream, TextDecoder>;

/** One event of output as text; the decoders carry on what ended within a character. */
export function chunkOf({ seq, at, data }: EventOf<"step.output">, decoders: Decoders): OutputChunk {
  const { stream, encoding } = data;
  const bytes = encoding === "base64" ? bytesOf(data.data) : null;
  const text = bytes === null ? data.data : decoders[stream].decode(bytes, { stream: true });
  return { seq, at_ms: Date.parse(at), stream, text };
}

/** As the server reads it: a sandbox may have written what is no base64, and nothing that listens to events may fail at it. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const [before = ""] = base64.split("=");
  const digits = before.replace(/[^A-Za-z0-9+/]/g, "");
  const whole = digits.length % 4 === 1 ? digits.slice(0, -1) : digits;
  return Uint8Array.from(atob(whole), (char) => char.charCodeAt(0));
}
