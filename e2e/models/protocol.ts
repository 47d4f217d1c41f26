import type { IncomingHttpHeaders } from "node:http";
import type { ModelRequest } from "./conversation.ts";
import type { AnswerUsage, ErrorSaid, Said } from "./scenario.ts";

export type Incoming = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
};

/** A whole answer over HTTP; each piece is written for itself. */
export type Reply = { status: number; headers: Record<string, string>; pieces: string[] };

/** A request that asks a model for words, and how the protocol puts an answer. */
export type Generation = {
  request: ModelRequest;
  answer(said: Said): Reply;
  refuse(error: ErrorSaid): Reply;
};

/** One provider's form of HTTP. Null for a path that is not its own. */
export interface ModelProtocol {
  handle(incoming: Incoming): Reply | Generation | null;
}

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { "content-type": "application/json; charset=UTF-8", ...headers },
  pieces: [JSON.stringify(body)],
});

export const events = (pieces: string[]): Reply => ({
  status: 200,
  headers: { "content-type": "text/event-stream" },
  pieces,
});

/** What an answer says, as its text. */
export function textOf(said: Said): string {
  return (said.text ?? "") + (said.json === undefined ? "" : JSON.stringify(said.json));
}

export function argsText(args: Said["calls"][number]["args"]): string {
  return typeof args === "string" ? args : JSON.stringify(args);
}

/** What an answer is counted as; null when the provider does not say. */
export function usageOf(said: Said, request_body: string): AnswerUsage | null {
  if (said.usage !== undefined) return said.usage;
  const calls = said.calls.map(({ name, args }) => name + argsText(args)).join("");
  return {
    input: Math.ceil(request_body.length / 4),
    output: Math.ceil((textOf(said) + calls).length / 4),
    cached: 0,
    thoughts: Math.ceil((said.thought ?? "").length / 4),
  };
}

export function inPieces(text: string, chars: number): string[] {
  return Array.from({ length: Math.ceil(text.length / chars) }, (_, index) =>
    text.slice(index * chars, (index + 1) * chars),
  );
}
