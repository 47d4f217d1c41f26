import {
  Braces,
  Brain,
  FilePen,
  Globe,
  MousePointerClick,
  Search,
  SquareTerminal,
  Wrench,
} from "lucide-react";
import type { ReactNode } from "react";
import type { StepCause, StepTool } from "../../../../src/contract/event.ts";
import type { EventOf } from "../events/job-events.ts";

export const TOOLS: Record<StepTool, { name: string; icon: ReactNode }> = {
  shell: { name: "Shell", icon: <SquareTerminal /> },
  python: { name: "Python", icon: <Braces /> },
  js: { name: "JavaScript", icon: <Braces /> },
  ts: { name: "TypeScript", icon: <Braces /> },
  file: { name: "File", icon: <FilePen /> },
  desktop: { name: "Desktop", icon: <MousePointerClick /> },
  search: { name: "Search", icon: <Search /> },
  web: { name: "Web", icon: <Globe /> },
  think: { name: "Thought", icon: <Brain /> },
  other: { name: "Tool", icon: <Wrench /> },
};

const CAUSES: Record<Exclude<StepCause, "exited">, string> = {
  signalled: "ended by a signal",
  out_of_memory: "out of memory",
  cancelled: "cancelled",
  timed_out: "timed out",
  not_started: "not started",
  reaper_lost: "lost",
};

/** How a step ended, in a word or two; null when it went well, of which its duration says enough. */
export function endingOf({ data }: EventOf<"step.ended">): string | null {
  const { cause, exit_code, signal, ok } = data;
  if (cause === "exited") return ok && (exit_code ?? 0) === 0 ? null : `exit ${exit_code ?? "unknown"}`;
  return signal === null || cause === "out_of_memory" ? CAUSES[cause] : signal;
}
