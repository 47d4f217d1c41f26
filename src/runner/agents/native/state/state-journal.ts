import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ModelMessage } from "ai";
import { z } from "zod";
import { AgentState, NEW_STATE } from "./agent-state.ts";

const FILE = "state.ndjson";
/** After this many bytes of changes the journal is written anew, as one state. */
const REWRITE_AFTER_BYTES = 8 * 1024 * 1024;
/** A larger journal is not read: none of ours can be. */
const READ_MAX_BYTES = 128 * 1024 * 1024;

/** Everything but the conversation, which only grows between two compactions. */
export type StateChange = Partial<Omit<AgentState, "messages" | "version">>;

const Line = z.object({ set: z.record(z.string(), z.unknown()), add: z.array(z.unknown()) });

/**
 * The agent's state, on the volume after every change: a first line with all of it, then a line for each change. A line that was cut by the
 * death of its sandbox is as if its change had not been made. Tools of the job can change the file: what is no state is treated as damaged.
 */
export class StateJournal implements AsyncDisposable {
  readonly #folder: string;
  #state: AgentState;
  #file: FileHandle | null = null;
  #written_bytes = 0;

  private constructor(folder: string, state: AgentState) {
    this.#folder = folder;
    this.#state = state;
  }

  /** Takes up what lies in `folder` when `resume` is set and it can be read; `found` says what became of that. */
  static async open(
    folder: string,
    resume: boolean,
  ): Promise<{ journal: StateJournal; found: "nothing" | "state" | "damaged" }> {
    await mkdir(folder, { recursive: true });
    const text = resume ? await readJournal(join(folder, FILE)) : null;
    const read = text === null ? null : stateOf(text);
    // A number that a step had stays its own.
    const state = read ?? { ...structuredClone(NEW_STATE), steps: stepsIn(text ?? "") };
    const journal = new StateJournal(folder, state);
    await journal.#rewrite();
    return { journal, found: text === null ? "nothing" : read === null ? "damaged" : "state" };
  }

  get state(): Readonly<AgentState> {
    return this.#state;
  }

  set(change: StateChange): Promise<void> {
    return this.add([], change);
  }

  /** Adds to the conversation, and changes the rest in the same moment. */
  async add(messages: ModelMessage[], change: StateChange = {}): Promise<void> {
    this.#state = { ...this.#state, ...change, messages: [...this.#state.messages, ...messages] };
    await this.#append(`${JSON.stringify({ set: change, add: messages })}\n`);
  }

  /** Puts another conversation in place of the whole. */
  async replace(messages: ModelMessage[], change: StateChange = {}): Promise<void> {
    this.#state = { ...this.#state, ...change, messages };
    await this.#rewrite();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #append(line: string): Promise<void> {
    this.#written_bytes += Buffer.byteLength(line);
    if (this.#written_bytes > REWRITE_AFTER_BYTES || this.#file === null) return this.#rewrite();
    try {
      await this.#file.appendFile(line);
      await this.#file.datasync();
    } catch (error) {
      // Part of the line may be there: nothing may be written behind it.
      this.#written_bytes = Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  async #rewrite(): Promise<void> {
    const unfinished = join(this.#folder, `.${randomBytes(8).toString("hex")}`);
    const file = await open(unfinished, "wx", 0o600);
    try {
      await file.appendFile(`${JSON.stringify(this.#state)}\n`);
      await file.datasync();
      await rename(unfinished, join(this.#folder, FILE));
    } catch (error) {
      await file.close();
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    this.#written_bytes = 0;
  }
}

/** Null when there is none; what cannot be read is no text. */
async function readJournal(path: string): Promise<string | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    await using file = await open(path, flags);
    const { size } = await file.stat();
    return size > READ_MAX_BYTES ? "" : await file.readFile("utf8");
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? null : "";
  }
}

/** Null for what is no state. */
function stateOf(journal: string): AgentState | null {
  // What follows the last line break was cut.
  const [first = "", ...changes] = journal.split("\n").slice(0, -1);
  try {
    let state: Record<string, unknown> & { messages: unknown[] } = AgentState.parse(JSON.parse(first));
    for (const line of changes) {
      const { set, add } = Line.parse(JSON.parse(line));
      state = { ...state, ...set, messages: state.messages };
      state.messages.push(...add);
    }
    return AgentState.parse(state);
  } catch {
    // Whatever it is, it is no state; the caller says so.
    return null;
  }
}

/** The highest number of a step that a damaged journal still tells. */
function stepsIn(journal: string): number {
  const numbers = Array.from(journal.matchAll(/"steps":(\d{1,7})\b/g), ([, digits]) => Number(digits));
  return numbers.reduce((most, one) => Math.max(most, one), 0);
}
