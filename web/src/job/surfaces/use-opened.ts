import { useEffect, useState } from "react";
import type { OpenAnswer } from "../../../../src/contract/api.ts";
import { ApiError, requestJson } from "../../api/request.ts";
import { waitBefore } from "../../api/wait-before.ts";
import { useToasts } from "../../ui/toasts.tsx";

const TRIES_MAX = 6;

type Answer = { url: string | null; error: unknown };
const ASKED: Answer = { url: null, error: null };

type Opened = Answer & {
  /** `url` is for one load of one frame; null while it is asked for. Another number for each. */
  load: number;
  reload(): void;
  /** The same page in a tab of its own, which has no hold on this one. */
  openTab(): void;
};

/** Addresses at which a browser shows something of a sandbox, by the route that gives them. Each is good once, so none is kept or renewed. */
export function useOpened(route: string, path: string): Opened {
  const { failed } = useToasts();
  const [load, setLoad] = useState(0);
  const [answer, setAnswer] = useState<Answer & { load: number; path: string }>({ ...ASKED, load, path });
  useEffect(() => {
    const gone = new AbortController();
    const told = (result: Partial<Answer>): void => {
      if (!gone.signal.aborted) setAnswer({ ...ASKED, ...result, load, path });
    };
    open(route, path, gone.signal).then(
      ({ url }) => told({ url }),
      (error: unknown) => told({ error }),
    );
    return () => gone.abort();
  }, [route, path, load]);
  const { url, error } = answer.load === load && answer.path === path ? answer : ASKED;
  return {
    url,
    error,
    load,
    reload: () => setLoad(load + 1),
    openTab: () =>
      void open(route, path).then(
        (opened) => window.open(opened.url, "_blank", "noopener,noreferrer"),
        failed,
      ),
  };
}

/** Asks again while the sandbox does not answer: what starts on a machine at work may take longer than the server waits for it. */
async function open(route: string, path: string, signal?: AbortSignal): Promise<OpenAnswer> {
  for (let tries = 0; ; tries += 1)
    try {
      return await requestJson(`${route}?${new URLSearchParams({ path })}`, { method: "POST", signal });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 503 || tries === TRIES_MAX || signal?.aborted)
        throw error;
      await new Promise((next) => setTimeout(next, waitBefore(tries)));
    }
}
