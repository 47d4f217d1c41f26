import {
  createContext,
  type ReactNode,
  use,
  useEffect,
  useEffectEvent,
  useState,
  useSyncExternalStore,
} from "react";
import { useFeed } from "../../feed/use-feed.ts";
import { type StepOutput, StepOutputSource } from "./step-output.ts";

/** Outputs that were read and may be looked at again soon, as somebody scrolls back and forth. */
const KEPT_MAX = 48;
/** Who scrolls past a step does not want its output. */
const WANTED_AFTER_MS = 90;

const KeptContext = createContext<Map<number, StepOutputSource> | null>(null);

/** Keeps outputs of steps of one job that were read, the last few. */
export function StepOutputs({ children }: { children: ReactNode }) {
  const [kept] = useState(() => new Map<number, StepOutputSource>());
  return <KeptContext value={kept}>{children}</KeptContext>;
}

export type StepPlace = { job_id: string; step: number; started_seq: number; ended_seq: number | null };

const NEVER = () => () => undefined;

/** The output of a step for as long as something shows it; null until it is being read. */
export function useStepOutput(place: StepPlace): { output: StepOutput | null; readEarlier: () => void } {
  const { job_id, step, started_seq, ended_seq } = place;
  const feed = useFeed();
  const kept = use(KeptContext);
  const [source, setSource] = useState<StepOutputSource | null>(() => kept?.get(step) ?? null);
  const endedAt = useEffectEvent(() => ended_seq);
  useEffect(() => {
    const old = kept?.get(step);
    if (old !== undefined) {
      setSource(old);
      return;
    }
    const opened = new StepOutputSource({ job_id, step, started_seq, feed });
    const timer = setTimeout(() => {
      const ended = endedAt();
      if (ended === null) opened.follow();
      else opened.readTail(ended);
      setSource(opened);
    }, WANTED_AFTER_MS);
    return () => {
      clearTimeout(timer);
      const { loading, chunks, earlier, error } = opened.current();
      const whole = !loading && error === null && (chunks.length > 0 || !earlier) && !opened.follows;
      if (!whole || kept === null) return opened.close();
      kept.set(step, opened);
      for (const [key, oldest] of kept) {
        if (kept.size <= KEPT_MAX) break;
        kept.delete(key);
        oldest.close();
      }
    };
  }, [job_id, step, started_seq, feed, kept]);
  useEffect(() => {
    if (source !== null && ended_seq !== null && source.follows) source.end(ended_seq);
  }, [source, ended_seq]);
  const output = useSyncExternalStore(source?.subscribe ?? NEVER, () => source?.current() ?? null);
  return { output, readEarlier: () => source?.readEarlier() };
}
