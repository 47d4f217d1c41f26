import type { DesktopView } from "../../../../src/contract/desktop-api.ts";

/** Who has keyboard and mouse of a desktop. */
export type Driver = { who: "you" } | { who: "agent" } | { who: "other"; name: string };

export function driverOf({ held_by, viewers }: DesktopView, viewer: string): Driver {
  if (viewers.some((one) => one.viewer === viewer && one.drives)) return { who: "you" };
  return held_by === null ? { who: "agent" } : { who: "other", name: held_by };
}

/** Which colour goes with whom, see styles.css. */
export const DRIVER_LOOKS: Record<Driver["who"], { text: string; dot: string; frame: string }> = {
  you: { text: "text-person", dot: "bg-person", frame: "border-person" },
  agent: { text: "text-accent", dot: "bg-accent", frame: "border-accent-line" },
  other: { text: "text-other", dot: "bg-other", frame: "border-other" },
};
