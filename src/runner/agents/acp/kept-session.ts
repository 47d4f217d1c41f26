import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";

/** What a later runner needs to go on: the session, by the name that its CLI keeps it under, the job's last step, and those that have not ended. */
const Kept = z.object({
  agent: z.string(),
  session_id: z.nullable(z.string()),
  last_step: z.int(),
  open_steps: z.array(z.int()),
});
export type Kept = z.infer<typeof Kept>;

/** A small file on the volume, below the home folder, beside what else Sealwork keeps there. */
export class KeptSession {
  readonly #folder: string;

  constructor(home: string) {
    this.#folder = join(home, ".sealwork");
  }

  /** Null when there is none, or none of this agent. */
  async read(agent: string): Promise<Kept | null> {
    try {
      const kept = Kept.parse(JSON.parse(await readFile(this.#path, "utf8")));
      return kept.agent === agent ? kept : null;
    } catch {
      // A file that is missing or damaged (tools of the job can change it) leaves nothing to go on from.
      return null;
    }
  }

  /** Without it a later runner starts over, so that it cannot be kept (the disk is full) is no reason to stop. */
  async write(kept: Kept): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(`${this.#path}.new`, JSON.stringify(kept));
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      process.stderr.write(`The agent's session could not be kept: ${String(error)}\n`);
    }
  }

  get #path(): string {
    return join(this.#folder, "agent-session.json");
  }
}
