import { useNavigate, useParams, useRouter, useSearch } from "@tanstack/react-router";
import {
  createContext,
  type ReactNode,
  use,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { type ClockState, ReplayClock } from "./replay-clock.ts";
import { storyOf } from "./story.ts";

/** The moment that a replay is at; panels show the job as it was then. */
export type Replay = {
  /** Ms since the epoch; null: as it is now. While it plays it changes some times a second, and not with every frame. */
  at: number | null;
  /** Shows that moment; null goes back to now. Does nothing while the job has not ended. */
  seek(at: number | null): void;
};

/** While it plays, panels are told the moment so often. */
const TOLD_EVERY_MS = 100;
/** The address says the moment once it has stood still for so long. */
const ADDRESS_AFTER_MS = 300;

const ReplayContext = createContext<Replay>({ at: null, seek: () => undefined });
const ClockContext = createContext<ReplayClock | null>(null);

export function useReplay(): Replay {
  return use(ReplayContext);
}

/** The clock behind it, for what has to follow every frame. */
export function useReplayClock(): ReplayClock {
  const clock = use(ClockContext);
  if (clock === null) throw new Error("There is no replay around this component.");
  return clock;
}

/** A part of the clock's state; renders anew when that part changes. */
export function useClock<T extends string | number | boolean | null>(
  clock: ReplayClock,
  select: (state: ClockState) => T,
): T {
  return useSyncExternalStore(
    useCallback((changed) => clock.onChange(changed), [clock]),
    () => select(clock.state),
  );
}

export function ReplayProvider({ job, children }: { job: Job; children: ReactNode }) {
  const [clock] = useState(() => new ReplayClock(nextFrame));
  const { events } = useJobEvents();
  const from = Date.parse(job.timings.scheduled_at);
  const ended = job.phase === "ended";
  const ended_at = job.timings.ended_at;
  useEffect(() => {
    if (!ended) return;
    const { moments, to } = storyOf(events);
    const end = Math.max(to, ended_at === null ? 0 : Date.parse(ended_at));
    clock.setMoments(
      moments.map((moment) => moment - from),
      end - from,
    );
  }, [clock, events, ended, ended_at, from]);
  useEffect(() => () => clock.pause(), [clock]);
  useAddress(clock, ended);
  const moment = useTold(clock);
  const at = moment === null ? null : from + moment;
  const replay = useMemo(
    () => ({
      at,
      seek: (to: number | null) => {
        if (ended) clock.seek(to === null ? null : to - from);
      },
    }),
    [at, clock, ended, from],
  );
  return (
    <ClockContext value={clock}>
      <ReplayContext value={replay}>{children}</ReplayContext>
    </ClockContext>
  );
}

/** The moment as panels are told it. */
function useTold(clock: ReplayClock): number | null {
  const [at, setAt] = useState(clock.state.at);
  useEffect(() => {
    let told_at = 0;
    return clock.onChange(() => {
      const now = performance.now();
      if (clock.state.playing && now - told_at < TOLD_EVERY_MS) return;
      told_at = now;
      setAt(clock.state.at);
    });
  }, [clock]);
  return at;
}

/** Takes the moment from the address, and writes it there. */
function useAddress(clock: ReplayClock, ended: boolean): void {
  const { at = null } = useSearch({ from: "/shell/job/$id" });
  const { id } = useParams({ from: "/shell/job/$id" });
  const router = useRouter();
  const navigate = useNavigate({ from: "/job/$id" });
  /** What the address said when clock and address were last the same. */
  const agreed = useRef<number | null>(null);
  useEffect(() => {
    if (!ended || at === agreed.current) return;
    agreed.current = at;
    clock.seek(at);
  }, [at, clock, ended]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const write = (): void => {
      // Whoever is on the way to another page stays on it.
      if (router.latestLocation.pathname !== `/job/${id}`) return;
      const moment = clock.state.at === null ? null : Math.round(clock.state.at);
      if (moment === agreed.current) return;
      agreed.current = moment;
      void navigate({
        search: (old) => ({ ...old, at: moment ?? undefined }),
        replace: true,
        resetScroll: false,
      });
    };
    const off = clock.onChange(() => {
      clearTimeout(timer);
      if (!clock.state.playing) timer = setTimeout(write, ADDRESS_AFTER_MS);
    });
    return () => {
      off();
      clearTimeout(timer);
    };
  }, [clock, navigate, router, id]);
}

function nextFrame(callback: (now: number) => void): () => void {
  const id = requestAnimationFrame(callback);
  return () => cancelAnimationFrame(id);
}
