import { useSyncExternalStore } from "react";

/** `system` follows the machine. */
export type Theme = "system" | "light" | "dark";

const KEY = "sealwork.theme";
const listeners = new Set<() => void>();

export function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

/** Shows a theme from now on, in all tabs. */
export function setTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  changed();
}

/** Shows the stored theme, and every later one that another tab chooses. Called once, before anything is shown. */
export function keepTheme(): void {
  addEventListener("storage", ({ key }) => key === KEY && changed());
  changed();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, storedTheme);
}

function changed(): void {
  const theme = storedTheme();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const listener of listeners) listener();
}
