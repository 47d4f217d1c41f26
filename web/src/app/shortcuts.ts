import { useEffect, useEffectEvent } from "react";

/** A way to do something by keyboard, as the list of shortcuts shows it. */
export type Shortcut = { keys: string; does: string };

type Registered = Shortcut & { act: () => void };

/** Between the keys of a sequence such as `g j`. */
const SEQUENCE_MS = 1_000;

/** What can be pressed at the moment; of several for the same keys the last one counts. */
const registered: Registered[] = [];
let pressed: { stroke: string; at: number } | null = null;

export function currentShortcuts(): Shortcut[] {
  return [...new Map(registered.map((one) => [one.keys, { keys: one.keys, does: one.does }])).values()];
}

/**
 * Runs an action on a key (`c`), a chord (`mod+k`) or a sequence (`g j`), but while somebody types: chords always, others outside of inputs,
 * terminals and dialogs only.
 */
export function useShortcut({ keys, does }: Shortcut, action: () => void, enabled = true): void {
  const latest = useEffectEvent(action);
  useEffect(() => {
    if (!enabled) return;
    const one: Registered = { keys, does, act: () => latest() };
    if (registered.length === 0) addEventListener("keydown", onKey);
    registered.push(one);
    return () => {
      registered.splice(registered.indexOf(one), 1);
      if (registered.length === 0) removeEventListener("keydown", onKey);
    };
  }, [keys, does, enabled]);
}

/** A sequence wins over its last key alone. */
function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const stroke = strokeOf(event);
  if (!stroke.includes("+") && isTyping(event)) return;
  const recent = pressed !== null && event.timeStamp - pressed.at < SEQUENCE_MS ? `${pressed.stroke} ` : null;
  pressed = { stroke, at: event.timeStamp };
  const found =
    (recent !== null && registered.findLast(({ keys }) => keys === `${recent}${stroke}`)) ||
    registered.findLast(({ keys }) => keys === stroke);
  if (!found) return;
  event.preventDefault();
  pressed = null;
  found.act();
}

function strokeOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key.toLowerCase().replace("arrow", "");
  const mod = event.ctrlKey || event.metaKey ? "mod+" : "";
  const alt = event.altKey ? "alt+" : "";
  return `${mod}${alt}${key}`;
}

function isTyping({ target }: KeyboardEvent): boolean {
  if (document.querySelector("[data-keys=wait]") !== null) return true;
  return (
    target instanceof Element &&
    target.closest(
      "input, textarea, select, [contenteditable=true], [role=dialog], [role=menu], [role=listbox], .xterm, [data-keys=own]",
    ) !== null
  );
}
