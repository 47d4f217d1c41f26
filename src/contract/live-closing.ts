/** Codes with which a WebSocket of a surface is closed, beside those of RFC 6455: who comes back need not ask why. */
export const CLOSED = {
  /** What was at the other end has ended in good order. */
  done: 1000,
  /** The server stops; the sandbox goes on. Come back. */
  stopping: 1012,
  /** The job has ended. */
  ended: 4001,
  /** The link to the sandbox was lost. Come back. */
  lost: 4002,
  /** The client sent what it must not. */
  refused: 4003,
  /** The client did not read, or go on with what it began, for too long. */
  slow: 4004,
} as const;
