import { useEffect, useState } from "react";

/** What a canvas is painted with, as the tokens of the page say at the moment. */
const TOKENS = {
  ink: "var(--color-ink)",
  quiet: "var(--color-quiet)",
  line: "var(--color-line)",
  accent: "var(--color-accent)",
  accent_area: "color-mix(in srgb, var(--color-accent) 16%, transparent)",
  other: "var(--color-other)",
  other_area: "color-mix(in srgb, var(--color-other) 16%, transparent)",
  person: "var(--color-person)",
  person_area: "color-mix(in srgb, var(--color-person) 16%, transparent)",
  good: "var(--color-good)",
  good_area: "color-mix(in srgb, var(--color-good) 16%, transparent)",
  bad: "var(--color-bad)",
} as const;
export type Colours = Record<keyof typeof TOKENS, string>;

/** The colours for canvases, anew when the theme changes. */
export function useThemeColours(): Colours {
  const [colours, setColours] = useState(readColours);
  useEffect(() => {
    const change = (): void => setColours(readColours());
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", change);
    const watch = new MutationObserver(change);
    watch.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      system.removeEventListener("change", change);
      watch.disconnect();
    };
  }, []);
  return colours;
}

/** A canvas knows no custom properties, so the browser is asked what they come to. */
function readColours(): Colours {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colours = Object.fromEntries(
    Object.entries(TOKENS).map(([name, token]) => {
      probe.style.color = token;
      return [name, getComputedStyle(probe).color];
    }),
  ) as Colours;
  probe.remove();
  return colours;
}
