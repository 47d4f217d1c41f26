import type { Event, EventBody } from "../../../src/contract/event.ts";
import { CURSOR_HEADER } from "../../../src/contract/event-cursor.ts";

const STREAM = { "content-type": "application/x-ndjson; charset=utf-8" };

/** One request for the stream, which the test answers. */
export class FakeRequest {
  readonly after: string | null;
  readonly output_of: string | null;
  readonly #signal: AbortSignal;
  readonly #answer: PromiseWithResolvers<Response>;
  #body: ReadableStreamDefaultController<Uint8Array> | null = null;

  constructor(url: string, signal: AbortSignal, answer: PromiseWithResolvers<Response>) {
    const { searchParams } = new URL(url, "http://sealwork.localhost");
    this.after = searchParams.get("after");
    this.output_of = searchParams.get("output_of");
    this.#signal = signal;
    this.#answer = answer;
    signal.addEventListener("abort", () => {
      answer.reject(signal.reason);
      this.#body?.error(signal.reason);
      this.#body = null;
    });
  }

  get gone(): boolean {
    return this.#signal.aborted;
  }

  /** Begins the stream, after the event with this cursor. */
  begin(cursor = Number(this.after ?? 0)): this {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
      },
    });
    this.#answer.resolve(new Response(body, { headers: { ...STREAM, [CURSOR_HEADER]: String(cursor) } }));
    return this;
  }

  send(...events: readonly Event[]): void {
    this.write(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }

  write(text: string | Uint8Array): void {
    this.#body?.enqueue(typeof text === "string" ? new TextEncoder().encode(text) : text);
  }

  end(): void {
    this.#body?.close();
    this.#body = null;
  }

  refuse(status: number, headers: Record<string, string> = {}): void {
    this.#answer.resolve(new Response("no", { status, headers }));
  }

  fail(): void {
    this.#answer.reject(new TypeError("network"));
  }
}

/** The orchestrator, as far as a feed knows it. */
export class FakeServer {
  readonly requests: FakeRequest[] = [];
  readonly #came: ((request: FakeRequest) => void)[] = [];
  #taken = 0;

  fetch = ((url: string, { signal }: { signal: AbortSignal }) => {
    const answer = Promise.withResolvers<Response>();
    this.requests.push(new FakeRequest(url, signal, answer));
    this.#give();
    return answer.promise;
  }) as typeof globalThis.fetch;

  /** The next request that was not taken yet, once it is there. */
  next(): Promise<FakeRequest> {
    const { promise, resolve } = Promise.withResolvers<FakeRequest>();
    this.#came.push(resolve);
    this.#give();
    return promise;
  }

  #give(): void {
    while (this.#came.length > 0 && this.#taken < this.requests.length) {
      const request = this.requests[this.#taken];
      this.#taken += 1;
      if (request !== undefined) this.#came.shift()?.(request);
    }
  }
}

export const JOB = "01a22460-9666-71d1-b380-f58aa438a4b4";
export const OTHER = "01a22460-969a-7956-b344-ec1ce6dfebe1";

export function event(
  cursor: number,
  job_id = JOB,
  body: EventBody = { type: "job.started", data: {} },
): Event {
  return { ...body, seq: cursor, cursor, job_id, at: "2026-03-01T10:00:00.000Z" };
}

export function output(cursor: number, job_id = JOB, text = "x"): Event {
  return event(cursor, job_id, {
    type: "step.output",
    data: { step: 1, stream: "stdout", encoding: "utf8", data: text },
  });
}
