import { createContext, type ReactNode, use, useState } from "react";

const RememberedContext = createContext<Map<string, unknown>>(new Map());

/** Remembers what is open and what not for cards that are gone while they are scrolled out of sight. */
export function Remembered({ children }: { children: ReactNode }) {
  const [values] = useState(() => new Map<string, unknown>());
  return <RememberedContext value={values}>{children}</RememberedContext>;
}

/** As useState, for a value that a card has again when it comes back. Null until somebody chose. */
export function useRemembered<T>(key: string): [T | null, (value: T) => void] {
  const values = use(RememberedContext);
  const [value, setValue] = useState<T | null>((values.get(key) as T | undefined) ?? null);
  const choose = (chosen: T): void => {
    values.set(key, chosen);
    setValue(chosen);
  };
  return [value, choose];
}
