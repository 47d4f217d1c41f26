import { join } from "node:path";
import { outputsFolder } from "../../../tools/kept-output.ts";
import { openNew } from "../../../tools/rolling-file.ts";
import { shorten } from "../memory/shorten.ts";
import type { StateJournal } from "../state/state-journal.ts";

/** What is kept in all; beyond it an output is shortened and its rest is lost to the model. */
const KEPT_MAX_BYTES = 256 * 1024 * 1024;

/** Long texts of a conversation, whole on disk, where the model can read more of them. */
export class Outputs {
  readonly #folder: string;
  readonly #journal: StateJournal;
  readonly #named: RegExp;

  constructor(home: string, journal: StateJournal) {
    this.#folder = outputsFolder(home);
    this.#named = new RegExp(`${RegExp.escape(this.#folder)}/step-\\d+\\.txt`);
    this.#journal = journal;
  }

  /** `text` as it goes into the conversation: at most about `max_chars`, with the name of the file that has all of it. */
  async shortened(text: string, max_chars: number): Promise<string> {
    if (text.length <= max_chars) return text;
    // A tool that kept its output itself says so.
    const named = this.#named.exec(text)?.[0];
    return shorten(text, max_chars, named ?? (await this.#keep(text)));
  }

  async #keep(text: string): Promise<string | null> {
    const { outputs, outputs_bytes } = this.#journal.state;
    const size = Buffer.byteLength(text);
    if (outputs_bytes + size > KEPT_MAX_BYTES) return null;
    const path = join(this.#folder, `${outputs + 1}.txt`);
    await this.#journal.set({ outputs: outputs + 1, outputs_bytes: outputs_bytes + size });
    try {
      await using file = await openNew(path);
      await file.writeFile(text);
      return path;
    } catch {
      // The conversation goes on without it; a full disk is found by its watch.
      return null;
    }
  }
}
