import { LoaderCircle, SquareTerminal, Unplug } from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { TerminalLine, type TerminalState } from "./terminal-line.ts";
import { TerminalScreen } from "./terminal-screen.ts";

/** One terminal, which stays connected as long as it is here, shown or not. */
export function TerminalView({
  job_id,
  terminal,
  shown,
  screen_reader,
  label,
  onOpened,
  onOver,
  onLink,
  onLeave,
  onNew,
}: {
  job_id: string;
  /** Null opens a new one. */
  terminal: string | null;
  shown: boolean;
  screen_reader: boolean;
  label: string;
  onOpened: (terminal: string) => void;
  /** It cannot be come back to any more. */
  onOver: () => void;
  onLink: (address: string) => void;
  onLeave: () => void;
  onNew: () => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const held = useRef<TerminalScreen | null>(null);
  // What it was opened with; it learns its id by itself.
  const [first] = useState({ terminal, screen_reader });
  const [state, setState] = useState<TerminalState>({ kind: "connecting" });
  const told = useEffectEvent((does: "opened" | "over" | "link" | "leave", text = "") => {
    if (does === "opened") onOpened(text);
    else if (does === "over") onOver();
    else if (does === "link") onLink(text);
    else onLeave();
  });

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const screen = new TerminalScreen(element, {
      screen_reader: first.screen_reader,
      told: {
        typed: (bytes) => line.type(bytes),
        resized: (size) => line.resize(size),
        link: (address) => told("link", address),
        leave: () => told("leave"),
      },
    });
    const line = new TerminalLine(job_id, {
      terminal: first.terminal,
      size: screen.size,
      told: {
        state: (next) => {
          setState(next);
          if (next.kind === "exited" || next.kind === "refused") told("over");
        },
        opened: (id) => {
          screen.clear();
          told("opened", id);
        },
        output: (bytes) => screen.show(bytes),
        skipped: (bytes) => screen.skipped(bytes),
      },
    });
    held.current = screen;
    return () => {
      held.current = null;
      line[Symbol.dispose]();
      screen[Symbol.dispose]();
    };
  }, [job_id, first]);

  useEffect(() => {
    if (!shown) return;
    held.current?.fit();
    // Who goes along tabs by keyboard only passes by, and a terminal lets go of no key.
    if (document.activeElement?.matches("[role=tab]:focus-visible") !== true) held.current?.focus();
  }, [shown]);
  useEffect(() => {
    if (held.current !== null) held.current.screen_reader = screen_reader;
  }, [screen_reader]);

  return (
    <section aria-label={label} hidden={!shown} className="relative flex min-h-0 flex-1 flex-col bg-screen">
      <div
        ref={place}
        className="min-h-0 min-w-0 flex-1 overflow-hidden py-2 pr-1 pl-3 [&_.xterm-viewport]:bg-screen! [&_.xterm]:h-full"
      />
      <Standing state={state} onNew={onNew} />
    </section>
  );
}

function Standing({ state, onNew }: { state: TerminalState; onNew: () => void }) {
  if (state.kind === "on") return null;
  const over = state.kind === "exited" || state.kind === "refused";
  return (
    <div
      role="status"
      className="flex shrink-0 items-center gap-2 border-t bg-panel px-3 py-1.5 text-soft text-sm [&>svg]:size-4 [&>svg]:shrink-0"
    >
      {state.kind === "connecting" && <LoaderCircle className="animate-spin" />}
      {state.kind === "lost" && <Unplug className="text-warn" />}
      {over && <SquareTerminal />}
      <span className="untrusted">
        {state.kind === "connecting" && "Opening the terminal…"}
        {state.kind === "lost" && "Connection lost. The terminal goes on; coming back to it…"}
        {over && state.text}
      </span>
      {over && (
        <Button size="sm" className="ml-auto" onClick={onNew}>
          New terminal
        </Button>
      )}
    </div>
  );
}
