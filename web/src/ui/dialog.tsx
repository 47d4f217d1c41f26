import clsx from "clsx";
import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { IconButton } from "./button.tsx";
import { FocusGivenBack } from "./focus-given-back.tsx";

/** A dialog over the page; Escape and a click beside it close it. `trigger` opens it, or `open` says that it is. */
export function Dialog({
  title,
  description,
  trigger,
  open,
  onOpenChange,
  width = "max-w-lg",
  size = "content",
  children,
}: {
  title: string;
  description?: ReactNode;
  trigger?: ReactNode;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  width?: string;
  /** `full` takes the whole window, and its content fills it. */
  size?: "content" | "full";
  children: ReactNode;
}) {
  const state = { ...(open !== undefined && { open }), ...(onOpenChange && { onOpenChange }) };
  return (
    <Radix.Root {...state}>
      {trigger !== undefined && <Radix.Trigger asChild>{trigger}</Radix.Trigger>}
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/40" />
        <Radix.Content
          {...(description === undefined && { "aria-describedby": undefined })}
          onOpenAutoFocus={focusInside}
          className={clsx(
            "fixed z-40 flex flex-col outline-none rounded-lg border border-line-strong bg-panel shadow-pop",
            size === "full"
              ? "inset-2 sm:inset-6"
              : `-translate-x-1/2 top-[12vh] left-1/2 max-h-[76vh] w-[calc(100vw-2rem)] ${width}`,
          )}
        >
          {trigger === undefined && <FocusGivenBack />}
          <header className="flex items-start justify-between gap-4 px-5 pt-4 pb-2">
            <div>
              <Radix.Title className="font-semibold text-lg">{title}</Radix.Title>
              {description !== undefined && (
                <Radix.Description className="mt-0.5 text-quiet text-sm">{description}</Radix.Description>
              )}
            </div>
            <Radix.Close asChild>
              <IconButton label="Close" size="sm">
                <X />
              </IconButton>
            </Radix.Close>
          </header>
          <div
            className={clsx(
              "min-h-0 px-5 pt-2 pb-5",
              size === "full" ? "flex flex-1 flex-col" : "overflow-y-auto",
            )}
          >
            {children}
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Not the button that closes it, though it is the first: the tip of that would take the first Escape. */
function focusInside(event: Event): void {
  const { currentTarget: dialog } = event;
  if (!(dialog instanceof HTMLElement)) return;
  event.preventDefault();
  (dialog.querySelector<HTMLElement>("input, textarea, select") ?? dialog).focus();
}

export const DialogClose = Radix.Close;
