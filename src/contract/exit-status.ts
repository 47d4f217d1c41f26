import { constants as os } from "node:os";

/** As shells have it: what is added to the number of a signal, and what stands for an end of which nobody knows. */
const SIGNALLED = 128;
const UNKNOWN = 255;

/** How a process ended as one number, as shells say it. */
export function exitStatus({
  exit_code,
  signal,
}: {
  exit_code: number | null;
  signal: string | null;
}): number {
  if (exit_code !== null) return exit_code;
  const number = Object.entries(os.signals).find(([name]) => name === signal)?.[1];
  return number === undefined ? UNKNOWN : SIGNALLED + number;
}
