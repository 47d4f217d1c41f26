/** The clock and timers of a feed. */
export type FeedTime = {
  /** In ms since the epoch. */
  now(): number;
  /** Calls once after some ms, unless what it returns was called before. */
  after(ms: number, act: () => void): () => void;
  /** From 0 up to 1: spreads what many would do at the same moment. */
  random(): number;
};

export const systemTime: FeedTime = {
  now: Date.now,
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};
