import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Provider } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import type { Estimate, ModelCall, Outbound, Reservation } from "../../core/outbound.ts";
import { type Attempted, attempt } from "./attempts.ts";
import type { BrokerDeps } from "./broker-options.ts";
import { estimateOf } from "./estimate.ts";
import { answerHeaders, requestHeaders } from "./headers.ts";
import { hasTooManyValues, VALUES_MAX } from "./json-values.ts";
import { keyMask } from "./key-mask.ts";
import type { ModelRoute } from "./routes.ts";
import { nextTurn } from "./turns.ts";
import { decoderOf } from "./upstream.ts";
import { UsageCounter } from "./usage.ts";

const MODEL_MAX_CHARS = 200;
/** What a fast model writes in a second, its thoughts included, of which nothing may be heard before the answer begins. */
const WRITTEN_PER_S = 100;

type Given = { headers: IncomingHttpHeaders; body: Buffer };
type Outcome = Pick<ModelCall, "outcome" | "http_status"> & { counter: UsageCounter | null };

/** One call of a program in a sandbox, from its body to the last byte of the answer: reserved before, counted while it passes, settled after. */
export class ModelCallRun {
  readonly #provider: Provider;
  readonly #route: ModelRoute;
  readonly #method: string;
  readonly #caller: Outbound;
  readonly #deps: BrokerDeps;
  readonly #begun: number;
  #attempts = 0;
  #asked_at = 0;

  constructor(options: {
    provider: Provider;
    route: ModelRoute;
    method: string;
    caller: Outbound;
    deps: BrokerDeps;
  }) {
    this.#provider = options.provider;
    this.#route = options.route;
    this.#method = options.method;
    this.#caller = options.caller;
    this.#deps = options.deps;
    this.#begun = options.deps.pace.now();
  }

  /** Throws AppError for what no provider was asked, or none answered; rejects when the signal aborts. The call is settled in each case. */
  async run(given: Given, response: ServerResponse, signal: AbortSignal): Promise<void> {
    if (!this.#route.metered) {
      await this.#pass(await this.#attempt(given, signal), response, signal);
      return;
    }
    await nextTurn();
    signal.throwIfAborted();
    const estimate = this.#estimate(given);
    const reservation = await this.#caller.reserve(estimate, signal);
    // Until something is known to be better: an answer that never began, of a call that may yet be billed for what was sent.
    let outcome: Outcome = { outcome: "failed", http_status: null, counter: null };
    try {
      const attempted = await this.#attempt(given, signal);
      outcome = await this.#pass(attempted, response, signal);
    } finally {
      await this.#settle(reservation, estimate, outcome, signal);
    }
    if (outcome.outcome === "cut") response.destroy();
  }

  #attempt(given: Given, signal: AbortSignal): Promise<Attempted> {
    const { protocol, name, base_url } = this.#provider;
    const key = this.#deps.keys.get(name) ?? null;
    return attempt({
      provider: this.#provider,
      key,
      request: {
        url: new URL(base_url.replace(/\/+$/, "") + this.#route.target),
        method: this.#method,
        headers: requestHeaders(given.headers, protocol, key),
        body: this.#method === "GET" ? Buffer.alloc(0) : given.body,
      },
      deps: this.#deps,
      signal,
      made: () => {
        this.#attempts += 1;
        this.#asked_at = this.#deps.pace.now();
      },
    });
  }

  /** Passes an answer on. An answer that breaks off, here or there, is an outcome and no error: nobody is left to be told. */
  async #pass(attempted: Attempted, response: ServerResponse, signal: AbortSignal): Promise<Outcome> {
    const { status, headers } = attempted;
    const key = this.#deps.keys.get(this.#provider.name) ?? null;
    if (attempted.kind === "refused") {
      const body = Buffer.from(attempted.body);
      const { "content-encoding": _, "content-length": __, ...kept } = answerHeaders(headers, key);
      response.writeHead(status, { ...kept, "content-length": body.length });
      response.end(body);
      return { outcome: "refused", http_status: status, counter: null };
    }
    const { answer } = attempted;
    const counter = new UsageCounter(headers["content-type"] ?? "");
    response.writeHead(status, answerHeaders(headers, key));
    // So that a stream's head is seen before its first part comes.
    response.flushHeaders();
    const whole = await passed(answer, response, { counter, mask: keyMask(key) }, signal);
    return { outcome: whole ? "ok" : "cut", http_status: status, counter };
  }

  #estimate({ headers, body }: Given): Estimate {
    if ((headers["content-encoding"] ?? "identity") !== "identity")
      throw invalid("The body of a model call must not be compressed here.");
    let json: unknown;
    const text = body.toString();
    if (hasTooManyValues(text))
      throw invalid(`The body of a model call holds more than ${VALUES_MAX} values.`);
    try {
      json = JSON.parse(text);
    } catch {
      throw invalid("The body of a model call is not JSON.");
    }
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw invalid("The body of a model call is not a JSON object.");
    const fields = json as Record<string, unknown>;
    // Such an answer holds neither words nor tokens, and what it becomes could not be fetched here, but would be billed.
    if (fields.background) throw invalid("Model calls in the background are not passed.");
    const model = this.#route.model ?? fields.model;
    if (typeof model !== "string" || model === "" || model.length > MODEL_MAX_CHARS)
      throw invalid(
        `The body of a model call must name its model, in at most ${MODEL_MAX_CHARS} characters.`,
      );
    return estimateOf({
      provider: this.#provider.name,
      model,
      body: fields,
      body_bytes: body.length,
      writes: this.#route.writes,
      info: this.#deps.modelInfo(this.#provider.name, model),
    });
  }

  /** What a model may have written by now for a program that has left, heard or not. */
  #unheard({ output_tokens }: Estimate): number {
    const passed_s = (this.#deps.pace.now() - this.#asked_at) / 1000;
    return Math.min(Math.ceil(passed_s * WRITTEN_PER_S), output_tokens);
  }

  /** Never throws: the answer is with its program already, and what cannot be stored must not take it back. */
  async #settle(
    reservation: Reservation,
    estimate: Estimate,
    { outcome, http_status, counter }: Outcome,
    signal: AbortSignal,
  ): Promise<void> {
    const said = counter?.end() ?? null;
    // Who leaves once a call was made has used the input, whatever is heard of it; else aborting would be a way around every budget.
    const sent = counter !== null || (outcome === "failed" && signal.aborted && this.#attempts > 0);
    const whole = said !== null && outcome === "ok";
    const output = Math.max(
      counter?.estimatedOutput() ?? 0,
      sent && signal.aborted ? this.#unheard(estimate) : 0,
    );
    const tokens = {
      input_tokens: said?.input_tokens || (sent ? Math.ceil(estimate.input_tokens / 2) : 0),
      cached_tokens: said?.cached_tokens ?? 0,
      output_tokens: whole ? said.output_tokens : Math.max(said?.output_tokens ?? 0, output),
    };
    const { provider, model } = estimate;
    const call: ModelCall = {
      provider,
      model,
      outcome,
      http_status,
      attempts: Math.max(this.#attempts, 1),
      ...tokens,
      estimated: sent && !whole,
      duration_ms: Math.max(this.#deps.pace.now() - this.#begun, 0),
    };
    try {
      await reservation.settle(call);
    } catch (error) {
      this.#deps.log("error", "A model call could not be stored.", {
        job_id: this.#caller.job_id,
        provider,
        error: String(error),
      });
    }
  }
}

/** Whether the whole answer reached the program. Each part is counted as it passes, and waits where the program does not read. */
async function passed(
  answer: IncomingMessage,
  response: ServerResponse,
  { counter, mask }: { counter: UsageCounter; mask: Transform | null },
  signal: AbortSignal,
): Promise<boolean> {
  const decoder = decoderOf(answer.headers["content-encoding"]);
  if (decoder) {
    decoder.on("data", (chunk: Buffer) => counter.push(chunk));
    // The program gets the bytes as they are and will see what is wrong with them; here there is only less to count.
    decoder.on("error", () => undefined);
  }
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (decoder === null) counter.push(chunk);
      if (!decoder || decoder.destroyed) done(null, chunk);
      else decoded(decoder, chunk, () => done(null, chunk));
    },
  });
  try {
    await pipeline(mask === null ? [answer, tap, response] : [answer, tap, mask, response], { signal });
    if (decoder && !decoder.destroyed) await ended(decoder);
    return true;
  } catch {
    decoder?.destroy();
    return false;
  }
}

/** Calls back once: when the decoder took the chunk, or fails, which it does not say to whoever wrote what it failed at. */
function decoded(decoder: Transform, chunk: Buffer, done: () => void): void {
  let open = true;
  const once = (): void => {
    if (open) done();
    open = false;
    decoder.off("close", once);
  };
  decoder.once("close", once);
  decoder.write(chunk, once);
}

async function ended(decoder: Transform): Promise<void> {
  await new Promise<void>((resolve) => {
    decoder.once("close", () => resolve());
    decoder.end();
  });
}

function invalid(message: string): AppError {
  return new AppError({ code: "invalid_request", message });
}
