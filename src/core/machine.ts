import { AppError } from "../contract/errors.ts";
import { DeadlinePassed, withDeadline } from "./deadline.ts";
import type { Dependencies } from "./dependencies.ts";
import type { DriverInfo } from "./driver.ts";

/** What the machine has is asked again after this long. */
const FRESH_MS = 60_000;
/** How long a request waits for what the engine has. */
const ENGINE_ANSWER_MS = 5_000;

/** What the engine says that it has, remembered for a while. */
export class Machine {
  readonly #dependencies: Pick<Dependencies, "clock" | "driver">;
  #known: { info: DriverInfo; at: number } | null = null;

  constructor(dependencies: Pick<Dependencies, "clock" | "driver">) {
    this.#dependencies = dependencies;
  }

  /** Throws AppError `engine_unreachable` only when it never answered. */
  async info(signal: AbortSignal): Promise<DriverInfo> {
    const { clock, driver } = this.#dependencies;
    const now = Date.parse(clock.now());
    if (this.#known !== null && now - this.#known.at < FRESH_MS) return this.#known.info;
    try {
      const limit = { what: "Asking the container engine", ms: ENGINE_ANSWER_MS };
      const info = await withDeadline(clock, limit, signal, (inner) => driver.info(inner));
      this.#known = { info, at: now };
    } catch (cause) {
      const late = cause instanceof DeadlinePassed;
      const error = late
        ? new AppError({ code: "engine_unreachable", message: cause.message, cause })
        : cause;
      // What the machine has does not change while the engine is away, and a job may well wait for it.
      if (this.#known === null) throw error;
    }
    return this.#known.info;
  }
}
