import type { EventBody } from "../contract/event.ts";
import type { Clock } from "./clock.ts";
import type { Denial } from "./outbound.ts";

type Denied = Omit<Extract<EventBody, { type: "egress.denied" }>["data"], "policy">;

/** Repeats of a refusal become one event in this time, which doubles with each of them: who goes on trying for hours is known by then. */
const COALESCE_MS = 5_000;
const COALESCE_MAX_MS = 10 * 60_000;
/** Different refusals that are told apart; a sandbox that tries more targets than this has the rest counted together. */
const KINDS_MAX = 200;
const OTHERS: Denial = {
  host: "(others)",
  port: 0,
  rule: "limit",
  message: `Connections to more than ${KINDS_MAX} different targets were refused; these are counted together.`,
};

type Kind = { denial: Denial; count: number; waiting: boolean; pause_ms: number };

/** Refused connections of one job on their way to `egress.denied`: the first of a kind at once, repeats counted. */
export class Denials {
  readonly #store: (denied: Denied) => Promise<void>;
  readonly #clock: Clock;
  readonly #ended: AbortSignal;
  readonly #kinds = new Map<string, Kind>();

  constructor(options: { store: (denied: Denied) => Promise<void>; clock: Clock; ended: AbortSignal }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#ended = options.ended;
  }

  add(denial: Denial): void {
    // Until its sandbox is quiet an ending job could be flooded, with nothing that holds the events apart.
    if (this.#ended.aborted) return;
    const name = `${denial.rule} ${denial.host}:${denial.port}`;
    const known = this.#kinds.has(name) || this.#kinds.size < KINDS_MAX;
    const key = known ? name : "";
    const kind = this.#kinds.get(key) ?? {
      denial: known ? denial : OTHERS,
      count: 0,
      waiting: false,
      pause_ms: COALESCE_MS,
    };
    this.#kinds.set(key, kind);
    kind.count += 1;
    if (!kind.waiting) void this.#tell(kind);
  }

  /** Never rejects: what cannot be stored is counted into the next event. */
  async #tell(kind: Kind): Promise<void> {
    kind.waiting = true;
    // The end of the job wakes the sleep, so what was counted by then is still told.
    while (kind.count > 0) {
      const { count } = kind;
      kind.count = 0;
      const stored = await this.#store({ ...kind.denial, count }).then(
        () => true,
        () => false,
      );
      if (!stored) kind.count += count;
      if (this.#ended.aborted) break;
      await this.#clock.sleep(kind.pause_ms, this.#ended).catch(() => undefined);
      kind.pause_ms = Math.min(kind.pause_ms * 2, COALESCE_MAX_MS);
    }
    kind.waiting = false;
  }
}
