import type { Protocol } from "../../src/contract/models.ts";
import type { TextMatch, When } from "./scenario.ts";

export type Message = {
  from: "user" | "model";
  text: string;
  calls: { name: string; args: string }[];
  results: { name: string; content: string }[];
};

/** A request to a model, whatever protocol it came in. */
export type ModelRequest = {
  protocol: Protocol;
  model: string;
  stream: boolean;
  system: string;
  messages: Message[];
  tools: string[];
  /** `auto`, `none`, `required`, or the name of the one tool that must be called. */
  choice: string;
  /** Whether JSON is asked for. */
  structured: boolean;
};

/** What of `when` does not hold for a request; empty when all of it does. */
export function mismatches(request: ModelRequest, when: When): string[] {
  const wrong: string[] = [];
  const text = (what: string, found: string, expected: TextMatch | undefined) => {
    if (expected !== undefined && !contains(found, expected))
      wrong.push(`${what} should contain ${JSON.stringify(expected)} but is ${shortened(found)}`);
  };
  const last = request.messages.at(-1);
  text("the last user text", lastUserText(request), when.user);
  text("the last tool result", lastResult(request), when.result);
  text("the system text", request.system, when.system);
  text("the conversation", wholeText(request), when.anywhere);
  if (when.nowhere !== undefined && contains(wholeText(request), when.nowhere))
    wrong.push(`nothing should contain ${JSON.stringify(when.nowhere)}`);
  const missing = (when.tools ?? []).filter((name) => !request.tools.includes(name));
  if (missing.length > 0)
    wrong.push(`the tools ${missing.join(", ")} should be offered but only ${request.tools.join(", ")} are`);
  if (when.no_tools === true && request.tools.length > 0)
    wrong.push(`no tools should be offered but ${request.tools.join(", ")} are`);
  if (when.choice !== undefined && when.choice !== request.choice)
    wrong.push(`the choice of tools should be ${when.choice} but is ${request.choice}`);
  if (when.structured !== undefined && when.structured !== request.structured)
    wrong.push(`JSON should ${when.structured ? "" : "not "}be asked for`);
  const ends = last === undefined ? "nothing" : last.results.length > 0 ? "result" : last.from;
  if (when.last !== undefined && when.last !== ends)
    wrong.push(`the conversation should end with ${when.last} but ends with ${ends}`);
  return wrong;
}

export function lastUserText(request: ModelRequest): string {
  return (
    request.messages.findLast(({ from, results }) => from === "user" && results.length === 0)?.text ?? ""
  );
}

/** Empty when the conversation does not end with tool results. */
export function lastResult(request: ModelRequest): string {
  const results = request.messages.at(-1)?.results ?? [];
  return results.map(({ content }) => content).join("\n");
}

export function wholeText(request: ModelRequest): string {
  const messages = request.messages.flatMap(({ text, calls, results }) => [
    text,
    ...calls.map(({ name, args }) => `${name} ${args}`),
    ...results.map(({ content }) => content),
  ]);
  return [request.system, ...messages].join("\n");
}

function contains(found: string, expected: TextMatch): boolean {
  return typeof expected === "string"
    ? found.includes(expected)
    : new RegExp(expected.pattern, expected.flags).test(found);
}

function shortened(text: string): string {
  return text.length <= 600 ? JSON.stringify(text) : `…${JSON.stringify(text.slice(-600))}`;
}
