import { type ClientConnection, methods, RequestError } from "@agentclientprotocol/sdk";
import * as z from "zod/mini";
import { AppError } from "../../../contract/errors.ts";
import type { CliProcess } from "./cli-process.ts";

export type Connected = { cli: CliProcess; connection: ClientConnection; signal: AbortSignal };

export type Asked<T> = {
  method: string;
  params: Record<string, unknown>;
  /** What is read of the answer: it comes from a program that may be anything. */
  answer: z.ZodMiniType<T>;
};

/** A request of a session's beginning, which must be answered in time. Rejects with the signal's reason when that is aborted. */
export async function askWithin<T>(connected: Connected, asked: Asked<T>, limit_ms: number): Promise<T> {
  const { signal, cli } = connected;
  const late = AbortSignal.timeout(limit_ms);
  const ended = AbortSignal.any([signal, late]);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  const abort = (): void => {
    const late_words = `The agent did not answer \`${asked.method}\` within ${limit_ms / 1000} s.${cli.last_words}`;
    aborted.reject(signal.aborted ? signal.reason : failure(late_words));
  };
  if (ended.aborted) abort();
  else ended.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([ask(connected, asked), aborted.promise]);
  } finally {
    ended.removeEventListener("abort", abort);
  }
}

/** A request that takes as long as it takes. Throws AppError when it is refused, or when the CLI ends before it has answered. */
export async function ask<T>(connected: Connected, { method, params, answer }: Asked<T>): Promise<T> {
  const { cli, connection } = connected;
  const answered = connection.agent.request<unknown>(method, params).catch(async (cause: unknown) => {
    if (cause instanceof RequestError) throw failure(refusal(method, cause, cli), cause);
    // The connection closes with the CLI, which says why.
    throw await cli.failure;
  });
  answered.catch(() => undefined);
  const ended = cli.failure.then((error) => {
    throw error;
  });
  const found = answer.safeParse(await Promise.race([answered, ended]));
  if (found.success) return found.data;
  throw failure(
    `The agent's answer to \`${method}\` is none that the Agent Client Protocol knows.${cli.last_words}`,
  );
}

export function failure(message: string, cause?: unknown): AppError {
  return new AppError({ code: "not_available", message, cause });
}

const Detail = z.union([
  z.pipe(
    z.object({ message: z.string() }),
    z.transform(({ message }) => message),
  ),
  z.pipe(
    z.object({ details: z.string() }),
    z.transform(({ details }) => details),
  ),
]);

/** Some CLIs hand on the whole answer of their provider. */
const Wrapped = z.object({
  error: z.object({ message: z.string(), code: z.optional(z.union([z.string(), z.number()])) }),
});

/** The words in an error that is the JSON of a provider's answer; any other error as it stands. */
export function wordsOf(text: string): string {
  try {
    const { message, code } = Wrapped.parse(JSON.parse(text)).error;
    return code === undefined ? message : `${code} ${message}`;
  } catch {
    return text;
  }
}

function refusal(method: string, { message: given, data }: RequestError, cli: CliProcess): string {
  const message = wordsOf(given);
  const detail = Detail.safeParse(data);
  const told = detail.success && !message.includes(detail.data);
  const words = told ? `${message}: ${detail.data}` : message;
  if (method !== methods.agent.session.prompt)
    return `The agent refused \`${method}\`: ${words}.${cli.last_words}`;
  // It works and says itself what went wrong; what else it wrote is only more of the same.
  return `The agent failed: ${words.replace(/\.$/, "")}.`;
}
