import clsx from "clsx";
import { X } from "lucide-react";
import { Toast } from "radix-ui";
import { createContext, type ReactNode, use, useCallback, useState } from "react";
import { IconButton } from "./button.tsx";
import { wordsOf } from "./trouble.tsx";

type Note = { key: number; look: "good" | "bad"; title: string; detail: string | null };
type Say = { done(title: string): void; failed(error: unknown): void };

/** Notes shown at once; older ones go. */
const NOTES_MAX = 4;
const SHOWN_MS = 6_000;

const ToastContext = createContext<Say | null>(null);

/** Tells in a corner that something was done, or failed. */
export function useToasts(): Say {
  const say = use(ToastContext);
  if (say === null) throw new Error("There are no toasts around this component.");
  return say;
}

export function Toasts({ children }: { children: ReactNode }) {
  const [notes, setNotes] = useState<Note[]>([]);
  const add = useCallback((note: Omit<Note, "key">) => {
    setNotes((old) => [...old, { ...note, key: (old.at(-1)?.key ?? 0) + 1 }].slice(-NOTES_MAX));
  }, []);
  const [say] = useState<Say>(() => ({
    done: (title) => add({ look: "good", title, detail: null }),
    failed: (error) => {
      const { message, hint } = wordsOf(error);
      add({ look: "bad", title: message, detail: hint });
    },
  }));
  return (
    <ToastContext value={say}>
      <Toast.Provider duration={SHOWN_MS} swipeDirection="right">
        {children}
        {notes.map(({ key, look, title, detail }) => (
          <Toast.Root
            key={key}
            onOpenChange={(open) => !open && setNotes((old) => old.filter((note) => note.key !== key))}
            className={clsx(
              "flex items-start gap-2 rounded-md border bg-raised px-3 py-2 shadow-pop",
              look === "bad" ? "border-bad-line" : "border-line-strong",
            )}
          >
            <div className="min-w-0 flex-1">
              <Toast.Title className={clsx("untrusted text-sm", look === "bad" && "text-bad")}>
                {title}
              </Toast.Title>
              {detail !== null && (
                <Toast.Description className="untrusted text-quiet text-xs">{detail}</Toast.Description>
              )}
            </div>
            <Toast.Close asChild>
              <IconButton label="Dismiss" size="sm">
                <X />
              </IconButton>
            </Toast.Close>
          </Toast.Root>
        ))}
        <Toast.Viewport className="fixed right-4 bottom-4 z-50 flex w-80 max-w-[calc(100vw-2rem)] flex-col gap-2 outline-none" />
      </Toast.Provider>
    </ToastContext>
  );
}
