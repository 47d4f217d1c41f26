import { useEffect, useEffectEvent } from "react";

/** A way to do something by keyboard, as the list of shortcuts shows it. */
export type Shortcut = { keys: string; does: string };

const registered = new Map<string, Shortcut>();

/** What can be pressed at the moment. */
export function currentShortcuts(): Shortcut[] {
  return [...registered.values()];
}

/** Between the keys of a sequence such as `g j`. */
const SEQUENCE_MS = 1_000;

/**
 * Runs an action on a key (`c`), a chord (`mod+k`) or a sequence (`g j`), but while somebody types: chords always, others outside of inputs,
 * terminals and dialogs only.
 */
export function useShortcut({ keys, does }: Shortcut, action: () => void, enabled = true): void {
  const latest = useEffectEvent(action);
  useEffect(() => {
    if (!enabled) return;
    registered.set(keys, { keys, does });
    let pressed: { stroke: string; at: number } | null = null;
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing) return;
      const stroke = strokeOf(event);
      if (!stroke.includes("+") && isTyping(event)) return;
      const recent =
        pressed !== null && event.timeStamp - pressed.at < SEQUENCE_MS ? `${pressed.stroke} ` : "";
      pressed = { stroke, at: event.timeStamp };
      if (stroke !== keys && `${recent}${stroke}` !== keys) return;
      event.preventDefault();
      pressed = null;
      latest();
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
      registered.delete(keys);
    };
  }, [keys, does, enabled]);
}

function strokeOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key.toLowerCase().replace("arrow", "");
  const mod = event.ctrlKey || event.metaKey ? "mod+" : "";
  const alt = event.altKey ? "alt+" : "";
  return `${mod}${alt}${key}`;
}

function isTyping({ target }: KeyboardEvent): boolean {
  return (
    target instanceof Element &&
    target.closest(
      "input, textarea, select, [contenteditable=true], [role=dialog], [role=menu], [role=listbox], .xterm, [data-keys=own]",
    ) !== null
  );
}
