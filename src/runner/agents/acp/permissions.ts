import { randomBytes } from "node:crypto";
import type {
  PermissionOption,
  RequestPermissionRequest,
  RequestPermissionResponse,
} from "@agentclientprotocol/sdk";
import type { Start } from "../../../contract/link.ts";
import { unifiedDiff } from "../../unified-diff.ts";
import type { AgentPlace } from "../agent.ts";
import { pathToTell } from "./file-change.ts";
import type { SessionStory } from "./session-story.ts";
import { diffsOf, newCall, subjectOf, textOf, withUpdate } from "./tool-call.ts";

const TITLE_MAX_CHARS = 300;
const DETAIL_MAX_CHARS = 4_000;
/** Questions that wait for a person at a time; what an agent asks beyond it is refused. */
const QUESTIONS_MAX = 32;

export type PermissionsOptions = {
  approval: Start["approval"];
  ask: AgentPlace["ask"];
  story: SessionStory;
  workspace: string;
  signal: AbortSignal;
};

/** Answers what an agent CLI asks leave for: by itself where the job says that nobody is to be asked, else as a person decides. */
export class Permissions {
  readonly #options: PermissionsOptions;
  /** Not to be met again by a later runner of the same job: its questions are others. */
  readonly #name = randomBytes(6).toString("hex");
  #asked = 0;
  #open = 0;

  constructor(options: PermissionsOptions) {
    this.#options = options;
  }

  async answer(request: RequestPermissionRequest): Promise<RequestPermissionResponse> {
    const { story } = this.#options;
    const allow = optionOf(request.options, "allow");
    const allowed = allow !== null && (await this.#isAllowed(request));
    if (allowed === null) return outcome(null);
    if (!allowed) return outcome(optionOf(request.options, "reject"));
    story.allowed(request.toolCall);
    return outcome(allow);
  }

  /** Null when the job is stopped before there is an answer. */
  async #isAllowed(request: RequestPermissionRequest): Promise<boolean | null> {
    const { approval, ask, signal, story } = this.#options;
    if (approval === "never") return true;
    if (this.#open >= QUESTIONS_MAX) return false;
    this.#open += 1;
    this.#asked += 1;
    const key = `permission-${this.#name}-${this.#asked}`;
    try {
      // People read why before they are asked.
      await story.flush();
      return (
        (await ask({ key, kind: "permission", ...(await questionOf(request, this.#options)) })) === "allow"
      );
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    } finally {
      this.#open -= 1;
    }
  }
}

/** What a person is asked: what the agent is about to do, with the changes that it shows as diffs. */
async function questionOf(
  { toolCall }: RequestPermissionRequest,
  place: { workspace: string },
): Promise<{ title: string; detail: string }> {
  const call = withUpdate(newCall(toolCall.toolCallId), toolCall, true);
  const { title, code } = subjectOf(call);
  const changes: string[] = [];
  for (const { path, before, after } of diffsOf(call.content))
    changes.push((await unifiedDiff(pathToTell(path, place), before, after)) ?? `${path}\n${after}`);
  const what = changes.length > 0 || code === title ? [] : [code];
  const parts = [...what, textOf(call.content), ...changes].filter((part) => part !== "");
  return { title: cut(title, TITLE_MAX_CHARS), detail: cut(parts.join("\n\n"), DETAIL_MAX_CHARS) };
}

/** For this one time where the agent offers that: a later question is another decision. */
function optionOf(options: readonly PermissionOption[], answer: "allow" | "reject"): PermissionOption | null {
  const found = [`${answer}_once`, `${answer}_always`].map((kind) =>
    options.find((option) => option.kind === kind),
  );
  return found.find((option) => option !== undefined) ?? null;
}

function outcome(option: PermissionOption | null): RequestPermissionResponse {
  if (option === null) return { outcome: { outcome: "cancelled" } };
  return { outcome: { outcome: "selected", optionId: option.optionId } };
}

function cut(text: string, max_chars: number): string {
  return text.length <= max_chars ? text : `${text.slice(0, max_chars - 1).toWellFormed()}…`;
}
