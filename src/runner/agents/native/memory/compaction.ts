import type { ModelMessage } from "ai";
import type { AgentContext } from "../agent-context.ts";
import { readNotes } from "../notes.ts";
import { planText } from "../plan.ts";
import { type Exchange, exchangesOf } from "./exchanges.ts";
import { shorten } from "./shorten.ts";
import { SUMMARY_INSTRUCTIONS, SUMMARY_REQUEST } from "./summary-prompt.ts";
import { charsOf } from "./token-estimate.ts";
import { transcriptOf } from "./transcript.ts";

/** Of the room of a request, what is to be summarised takes at most this share. */
const TRANSCRIPT_SHARE = 0.6;
/** Of that, the transcript itself has at least this share, however long the earlier summary is. */
const PART_OF_ROOM_MIN = 0.5;
const TASK_MAX_CHARS = 2_000;
/** How what stands for older exchanges is divided: summary, words of people, notes, plan. */
const SUMMARY_SHARE = 0.45;
const REQUESTS_SHARE = 0.3;
const NOTES_SHARE = 0.15;
const PLAN_SHARE = 0.1;
/** A result that is cut shorter than this says nothing. */
const RESULT_MIN_CHARS = 100;
/** What a cut adds to a text. */
const LEFT_OUT_LINE_CHARS = 80;

/**
 * Makes the older exchanges a summary, when the next request would come near the window; `force` does it in any case. The recent ones stay as
 * they are, results beside their calls. When the model cannot summarise, what they say is shortened instead. Rejects with the signal's
 * reason.
 */
export async function compactWhenFull(context: AgentContext, force = false): Promise<void> {
  const { journal, window, estimate, place } = context;
  const { messages } = journal.state;
  const tokens_before = estimate.messages(messages);
  if (!force && tokens_before <= window.compact_at_tokens) return;
  const exchanges = exchangesOf(messages);
  // A request that was refused for its length though it looked short enough: the estimate is wrong, so far less is kept.
  const bounded = (tokens: number): number => (force ? Math.min(tokens, tokens_before / 4) : tokens);
  const kept = recentOf(exchanges, context, {
    kept_tokens: bounded(window.kept_tokens),
    newest_tokens: bounded(window.newest_tokens),
  });
  const older = exchanges.slice(0, exchanges.length - kept.length).flat();
  if (older.length === 0) return journal.replace(kept.flat());
  const carried_chars = estimate.chars(bounded(window.carried_tokens));
  const summary = await summarise(context, older, Math.floor(carried_chars * SUMMARY_SHARE));
  const carried = { role: "user" as const, content: await carriedText(context, summary, carried_chars) };
  const next = [carried, ...kept.flat()];
  await journal.replace(next, { summary });
  const tokens_after = estimate.messages(next);
  const turns = exchanges.length - kept.length;
  await place.emit({ type: "conversation.compacted", data: { tokens_before, tokens_after, turns } });
}

/**
 * The newest exchanges that fit. The very last one gets more room, its results cut when they have to be: the model has not seen them yet.
 */
function recentOf(
  exchanges: readonly Exchange[],
  { estimate }: AgentContext,
  { kept_tokens, newest_tokens }: { kept_tokens: number; newest_tokens: number },
): Exchange[] {
  const newest = fitted(exchanges.at(-1) ?? [], estimate.chars(newest_tokens));
  if (newest === null) return [];
  const kept = [newest];
  let left = kept_tokens - estimate.messages(newest);
  for (const exchange of exchanges.slice(0, -1).toReversed()) {
    left -= estimate.messages(exchange);
    if (left < 0) break;
    kept.unshift(exchange);
  }
  return kept;
}

/** The exchange with the texts of its results cut, each to the same length, so that all takes at most `max_chars`; null when nothing would be left of them. */
function fitted(exchange: Exchange, max_chars: number): Exchange | null {
  if (charsOf(exchange) <= max_chars) return exchange;
  const results = exchange.flatMap(({ role, content }) => (role === "tool" ? content : [])).length;
  const bare = withResults(exchange, () => "");
  const each = Math.floor((max_chars - charsOf(bare)) / Math.max(results, 1)) - LEFT_OUT_LINE_CHARS;
  return results === 0 || each < RESULT_MIN_CHARS
    ? null
    : withResults(exchange, (text) => shorten(text, each));
}

function withResults(exchange: Exchange, change: (text: string) => string): Exchange {
  return exchange.map((message) => {
    if (message.role !== "tool") return message;
    const content = message.content.map((part) => {
      if (part.type !== "tool-result") return part;
      const { output } = part;
      if (output.type !== "text" && output.type !== "error-text") return part;
      return { ...part, output: { ...output, value: change(output.value) } };
    });
    return { ...message, content };
  });
}

/** What `older` comes to, the last summary included, which stands first in it when there was one. */
async function summarise(context: AgentContext, older: ModelMessage[], max_chars: number): Promise<string> {
  const { estimate, journal, model, place, window } = context;
  const { requests, summary: before } = journal.state;
  const since = before === null ? older : older.slice(1);
  const room = estimate.chars(window.input_tokens * TRANSCRIPT_SHARE);
  const task = `# The task\n${shorten(requests[0] ?? "", TASK_MAX_CHARS)}`;
  // Whole, because every summary would lose more of it.
  const earlier = before === null ? [] : [`# The earlier summary\n${before}`];
  const transcript = `# The transcript\n${transcriptOf(since, Math.max(room - (before?.length ?? 0), PART_OF_ROOM_MIN * room))}`;
  const content = [SUMMARY_REQUEST, task, ...earlier, transcript].join("\n\n");
  const { max_output_tokens } = window;
  const answer = await model.ask(
    {
      instructions: SUMMARY_INSTRUCTIONS,
      messages: [{ role: "user", content }],
      tools: [],
      choice: "auto",
      max_output_tokens,
    },
    place.signal,
  );
  const text = answer.kind === "answer" ? answer.text.trim() : "";
  if (text !== "") return shorten(text, max_chars);
  const half = Math.floor(max_chars / 2);
  return `${shorten(before ?? "", half)}\n\nThen, shortened:\n${transcriptOf(since, half)}`.trimStart();
}

/** What stands at the beginning of a compacted conversation. */
async function carriedText(context: AgentContext, summary: string, max_chars: number): Promise<string> {
  const { journal, place } = context;
  const { plan, requests } = journal.state;
  const share = (part: number): number => Math.floor(max_chars * part);
  const [task = "", ...later] = requests;
  const each = share(REQUESTS_SHARE / (later.length === 0 ? 1 : 2));
  const sections = [
    ["The task, in the person's words", shorten(task, each)],
    ["What people said later, the newest last", shorten(later.join("\n\n"), each)],
    ["Summary of the work so far", summary],
    [
      "Your plan (workspace/.sealwork/plan.md)",
      plan === null ? "" : shorten(planText(plan), share(PLAN_SHARE)),
    ],
    [
      "Your notes (workspace/.sealwork/notes.md)",
      shorten(await readNotes(place.workspace), share(NOTES_SHARE)),
    ],
  ];
  const text = sections.flatMap(([title, body = ""]) =>
    body.trim() === "" ? [] : [`## ${title}\n${body.trim()}`],
  );
  return [
    "The conversation has become too long for your window, so its older part was replaced by this. Long outputs lie whole in ~/.sealwork/outputs. Go on with the task from here.",
    ...text,
  ].join("\n\n");
}
