import { Popover } from "radix-ui";
import type { ReactNode } from "react";

/** A small panel that its button opens, over what is beside it. */
export function PopPanel({
  trigger,
  title,
  children,
  onOpenChange,
}: {
  trigger: ReactNode;
  title: string;
  children: ReactNode;
  onOpenChange?: (open: boolean) => void;
}) {
  return (
    <Popover.Root {...(onOpenChange && { onOpenChange })}>
      <Popover.Trigger asChild>{trigger}</Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label={title}
          data-keys="own"
          className="z-50 flex w-80 max-w-[calc(100vw-1rem)] flex-col gap-3 rounded-lg border border-line-strong bg-raised p-4 shadow-pop outline-none"
        >
          <h2 className="font-semibold text-sm">{title}</h2>
          {children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
