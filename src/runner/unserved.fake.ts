import { AppError } from "../contract/errors.ts";
import type { RunnerHandlers } from "./handlers.ts";

/** Test support: what a runner whose test is about something else answers to everything that people use live. */
export function unserved(): Pick<RunnerHandlers, "write" | "unpack" | "change" | "archive" | "surfaces"> {
  const refuse = async (): Promise<never> => {
    throw new AppError({ code: "conflict", message: "The runner of this test has none." });
  };
  return {
    write: refuse,
    unpack: refuse,
    change: refuse,
    archive: refuse,
    surfaces: {
      connect: refuse,
      service: refuse,
      ports: async () => ({ ports: [] }),
      terminals: () => ({ terminals: [] }),
      endTerminal: refuse,
      screen: refuse,
      desktop: async () => undefined,
      touch: () => undefined,
    },
  };
}
