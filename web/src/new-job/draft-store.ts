import { type Draft, EMPTY_DRAFT } from "./draft.ts";
import type { Inputs } from "./inputs.ts";

const KEY = "sealwork.new-job";
/** Typing is not held up by writing; what was typed last is written when the page goes. */
const WRITE_AFTER_MS = 300;
const NO_INPUTS: Inputs = { files: [], archive: null };

export type Kept = {
  draft: Draft;
  inputs: Inputs;
  /** Names of files that were chosen before the page was loaded anew: a browser does not let them be opened again. */
  lost: readonly string[];
};

/**
 * What is typed for a new job, kept over other pages and, in this tab, over a reload. Values of variables are secrets, so they are kept in
 * memory alone, and chosen files can be.
 */
export class DraftStore {
  readonly #storage: Storage;
  readonly #listeners = new Set<() => void>();
  #kept: Kept;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#kept = { inputs: NO_INPUTS, ...read(storage) };
    addEventListener("pagehide", () => this.#write());
  }

  get kept(): Kept {
    return this.#kept;
  }

  readonly listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  change(draft: Partial<Draft>): void {
    this.#set({ ...this.#kept, draft: { ...this.#kept.draft, ...draft } });
  }

  choose(inputs: Inputs): void {
    this.#set({ ...this.#kept, inputs, lost: [] });
  }

  /** Another draft in the place of this one, and no files. */
  replace(draft: Draft): void {
    this.#set({ draft, inputs: NO_INPUTS, lost: [] });
  }

  #set(kept: Kept): void {
    this.#kept = kept;
    this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS);
    for (const listener of this.#listeners) listener();
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { draft, inputs, lost } = this.#kept;
    const paths = [...inputs.files, ...(inputs.archive === null ? [] : [inputs.archive])].map(
      ({ path }) => path,
    );
    const stored = {
      draft: { ...draft, env: draft.env.map((pair) => ({ ...pair, value: "" })) },
      files: paths.length > 0 ? paths : lost,
    };
    try {
      this.#storage.setItem(KEY, JSON.stringify(stored));
    } catch (error) {
      console.warn("The draft is too large to be kept over a reload.", error);
    }
  }
}

/** The draft of an older page may lack fields or have others. */
function read(storage: Storage): { draft: Draft; lost: readonly string[] } {
  const nothing = { draft: EMPTY_DRAFT, lost: [] };
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "null");
    if (stored === null) return nothing;
    return { draft: { ...EMPTY_DRAFT, ...stored.draft }, lost: stored.files };
  } catch (error) {
    console.warn("The draft that was kept cannot be read.", error);
    return nothing;
  }
}
