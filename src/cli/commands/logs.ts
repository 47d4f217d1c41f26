import picocolors from "picocolors";
import { AppError } from "../../contract/errors.ts";
import type { Client } from "../client.ts";
import { type Context, connect, interruptible, printJson } from "../context.ts";
import { eventFeed } from "../event-feed.ts";
import { answerRow, eventRows, followUpRow, type Look, sendCommand, stayRow } from "../event-rows.ts";
import { EXIT } from "../exit-code.ts";
import { mayColour, write } from "../io.ts";
import { resolveJobId } from "../job-id.ts";
import { pause } from "../pause.ts";
import { LinePainter } from "../terminal-text.ts";

export type LogsOptions = { follow?: boolean; stream?: string; step?: number };

/** Attempts in a row that bring nothing new before the server counts as gone. */
const ATTEMPTS_MAX = 30;
const PAUSE_MS = 1000;
const LINE_MAX_CHARS = 64 * 1024;
/** Events by which a job calls for a person. */
const CALLS = ["approval.asked", "agent.waiting"];

/**
 * `logs`: exactly the bytes that the steps wrote; on a terminal made safe for it. With --json the events of the
 * steps and then the job. With -f until the job has ended.
 */
export async function logs(context: Context, given: string, options: LogsOptions): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  if (options.stream !== undefined && options.stream !== "stdout" && options.stream !== "stderr") {
    throw new AppError({
      code: "usage",
      message: `'${options.stream}' is no stream.`,
      hint: "stdout or stderr.",
    });
  }
  const client = await connect(context, { start: false, signal });
  const id = await resolveJobId(client, given, signal);
  const follow = options.follow === true;
  if (context.json) {
    for await (const event of eventFeed(client, { job_id: id, after: 0, follow }, signal)) {
      if (isWanted(event, options)) await printJson(context, event);
    }
    await printJson(context, await client.job(id, signal));
    return EXIT.complete;
  }
  const screen = context.io.terminal.stdout ? new Screen(context) : null;
  await using _calls = follow && context.io.terminal.stderr ? tellOfCalls(context, client, id) : null;
  for await (const chunk of logBytes(client, id, options, signal)) {
    if (screen === null) await write(context.io.stdout, chunk);
    else await screen.show(chunk);
  }
  await screen?.end();
  return EXIT.complete;
}

/**
 * Tells a person on stderr, until disposed, when the job waits for one; the log itself stays exactly the bytes. What was answered
 * before is not told. It is a courtesy: when its stream cannot be had, the log goes on without it.
 */
function tellOfCalls(context: Context, client: Client, job_id: string): AsyncDisposable {
  const ending = new AbortController();
  const { signal } = ending;
  const telling = (async () => {
    const feed = eventFeed(client, { job_id, after: 0, follow: true, types: CALLS }, signal);
    for await (const event of feed) {
      const { phase, approvals, agent } = await client.job(job_id, signal);
      const rows: string[] = [];
      if (event.type === "approval.asked" && approvals.some(({ n }) => n === event.data.n))
        rows.push(...eventRows(event, stderrLook(context)), answerRow(job_id, event.data));
      if (event.type === "agent.waiting" && event.data.linger_s > 0 && phase === "waiting")
        rows.push(
          agent === "script"
            ? stayRow(event.data.linger_s, job_id)
            : followUpRow(event.data.linger_s, sendCommand(job_id)),
        );
      if (rows.length > 0) await write(context.io.stderr, `${rows.join("\n")}\n`);
    }
  })().catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await telling;
    },
  };
}

function stderrLook({ io }: Context): Look {
  return { colours: picocolors.createColors(mayColour(io, "stderr")), columns: io.terminal.columns() };
}

function isWanted(event: { type: string; data: object }, options: LogsOptions): boolean {
  if (!event.type.startsWith("step.")) return false;
  if (options.step !== undefined && "step" in event.data && event.data.step !== options.step) return false;
  return options.stream === undefined || !("stream" in event.data) || event.data.stream === options.stream;
}

/** The bytes from the first on. They never change, so after a broken connection the known ones are skipped. */
async function* logBytes(
  client: Client,
  id: string,
  options: LogsOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let known = 0;
  for (let attempt = 0; ; attempt += 1) {
    let position = 0;
    let broken: unknown = null;
    try {
      const query = { follow: options.follow === true, stream: options.stream, step: options.step };
      const answer = await client.open({
        path: `/jobs/${id}/logs`,
        query,
        headers: { accept: "*/*" },
        signal,
      });
      for await (const chunk of answer.body ?? []) {
        const skipped = Math.min(chunk.byteLength, Math.max(0, known - position));
        position += chunk.byteLength;
        if (skipped === chunk.byteLength) continue;
        known = position;
        attempt = 0;
        yield chunk.subarray(skipped);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError && !error.retryable) throw error;
      broken = error;
    }
    if (broken === null && (options.follow !== true || (await client.job(id, signal)).phase === "ended"))
      return;
    if (broken !== null && attempt >= ATTEMPTS_MAX)
      throw new AppError({ code: "unreachable", message: `The log of job ${id} broke off.`, cause: broken });
    await pause(PAUSE_MS, signal);
  }
}

/** Output for a terminal, line by line, without anything that it would obey but colours. */
class Screen {
  readonly #context: Context;
  readonly #painter: LinePainter;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(context: Context) {
    this.#context = context;
    this.#painter = new LinePainter(mayColour(context.io, "stdout"));
  }

  async show(chunk: Uint8Array): Promise<void> {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_MAX_CHARS) lines.push(this.#takeRest());
    const text = lines.map((line) => `${this.#paint(line)}\n`).join("");
    if (text !== "") await write(this.#context.io.stdout, text);
  }

  async end(): Promise<void> {
    if (this.#rest !== "") await write(this.#context.io.stdout, `${this.#paint(this.#takeRest())}\n`);
  }

  #takeRest(): string {
    const rest = this.#rest;
    this.#rest = "";
    return rest;
  }

  #paint(line: string): string {
    return this.#painter.paint(line.replace(/\r$/, ""), Number.POSITIVE_INFINITY).join("");
  }
}
