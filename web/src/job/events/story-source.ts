import type { Event } from "../../../../src/contract/event.ts";
import { ApiError } from "../../api/request.ts";
import type { Feed } from "../../feed/feed.ts";
import { eventsPage, NEWEST } from "./events-page.ts";
import type { JobEvents, StoryEvent } from "./job-events.ts";
import { STORY_TYPES } from "./story-types.ts";

/** The first page is small, so that something can be seen at once. */
const FIRST_PAGE_EVENTS = 400;
const PAGE_EVENTS = 10_000;
/** Live events are told together, at most so often. */
const TOLD_EVERY_MS = 60;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;

export type StorySourceOptions = {
  job_id: string;
  /** The story of a job that has ended is read from its beginning, where people open it; that of others from its end. */
  ended: boolean;
  feed: Pick<Feed, "onEvents" | "onBegin">;
  onChange(events: JobEvents): void;
};

/** Reads what happened in a job, page by page, and joins what happens from now on, by seq: without gap, nothing twice. */
export class StorySource {
  readonly #options: StorySourceOptions;
  readonly #closed = new AbortController();
  readonly #offs: (() => void)[];
  #events: readonly StoryEvent[] = [];
  /** What was told live while pages before it were still being read. */
  #early: StoryEvent[] = [];
  /** False while events may be missing behind the last one that is there. */
  #joined = false;
  #complete = false;
  #error: unknown = null;
  /** How often the live stream began anew: what it told before says nothing about what came in between. */
  #beginnings = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: StorySourceOptions) {
    this.#options = options;
    // Listens before it reads, so that nothing falls between the two.
    this.#offs = [
      options.feed.onEvents((events) => this.#hear(events)),
      options.feed.onBegin(() => this.#begun()),
    ];
    void this.#run(options.ended ? () => this.#readForward() : () => this.#readBack());
  }

  close(): void {
    this.#closed.abort();
    for (const off of this.#offs) off();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #readForward(): Promise<void> {
    await this.#readOn();
    this.#complete = true;
    this.#tell();
  }

  async #readBack(): Promise<void> {
    const newest = await this.#page({ before: NEWEST, limit: FIRST_PAGE_EVENTS });
    this.#events = newest;
    this.#complete = newest.length < FIRST_PAGE_EVENTS;
    this.#tell();
    await this.#readOn();
    while (!this.#complete) {
      const before = this.#events[0]?.seq ?? 1;
      const older = await this.#page({ before, limit: PAGE_EVENTS });
      this.#events = [...older, ...this.#events];
      this.#complete = older.length < PAGE_EVENTS;
      this.#tell();
    }
  }

  /** Reads what comes after the last event that is there, until nothing is missing any more. */
  async #readOn(): Promise<void> {
    this.#joined = false;
    while (true) {
      const beginnings = this.#beginnings;
      const limit = this.#events.length === 0 ? FIRST_PAGE_EVENTS : PAGE_EVENTS;
      const page = await this.#page({ after: this.#last(), limit });
      this.#append(page);
      if (page.length === limit) this.#tell();
      else if (beginnings === this.#beginnings) break;
    }
    this.#joined = true;
    this.#append(this.#early);
    this.#early = [];
    this.#tell();
  }

  #hear(events: readonly Event[]): void {
    const { job_id } = this.#options;
    const ours = events.filter(
      (event): event is StoryEvent => event.job_id === job_id && event.type !== "step.output",
    );
    if (ours.length === 0) return;
    if (!this.#joined) {
      this.#early.push(...ours);
      return;
    }
    this.#append(ours);
    this.#timer ??= setTimeout(() => this.#tell(), TOLD_EVERY_MS);
  }

  #begun(): void {
    this.#beginnings += 1;
    if (this.#joined) void this.#run(() => this.#readOn());
  }

  #append(events: readonly StoryEvent[]): void {
    const last = this.#last();
    const news = events.filter(({ seq }) => seq > last);
    if (news.length > 0) this.#events = [...this.#events, ...news];
  }

  #last(): number {
    return this.#events.at(-1)?.seq ?? 0;
  }

  async #page(wanted: { after?: number; before?: number; limit: number }): Promise<StoryEvent[]> {
    const { job_id } = this.#options;
    for (let failures = 0; ; failures += 1) {
      try {
        const page = await eventsPage(job_id, { types: STORY_TYPES, ...wanted }, this.#closed.signal);
        if (this.#error !== null) this.#error = null;
        return page as StoryEvent[];
      } catch (error) {
        const passes = error instanceof ApiError && (error.status === 0 || error.status >= 500);
        if (this.#closed.signal.aborted || !passes) throw error;
        this.#error = error;
        this.#tell();
        await this.#rest(Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures));
      }
    }
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      this.#error = error;
      this.#tell();
    }
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      const stop = () => {
        clearTimeout(timer);
        reject(this.#closed.signal.reason);
      };
      this.#closed.signal.addEventListener("abort", stop, { once: true });
    });
  }

  #tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#closed.signal.aborted) return;
    const { events, complete, error } = {
      events: this.#events,
      complete: this.#complete,
      error: this.#error,
    };
    this.#options.onChange({ events, complete, error });
  }
}
