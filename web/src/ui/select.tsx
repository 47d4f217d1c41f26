import clsx from "clsx";
import { Check, ChevronDown } from "lucide-react";
import { Select as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { INPUT, useField } from "./field.tsx";

export type Option = { value: string; label: ReactNode; hint?: ReactNode };

/** One of a few; inside a Field it takes its label, else `label` names it. */
export function Select({
  value,
  onChange,
  options,
  label,
  className,
  disabled,
}: {
  value: string;
  onChange: (value: string) => void;
  options: readonly Option[];
  label?: string;
  className?: string;
  disabled?: boolean;
}) {
  return (
    <Radix.Root value={value} onValueChange={onChange} {...(disabled !== undefined && { disabled })}>
      <Radix.Trigger
        {...useField()}
        {...(label !== undefined && { "aria-label": label })}
        className={clsx(
          INPUT,
          "flex items-center justify-between gap-2 text-left disabled:opacity-50",
          className,
        )}
      >
        <span className="truncate">
          <Radix.Value />
        </span>
        <Radix.Icon>
          <ChevronDown className="size-4 text-quiet" />
        </Radix.Icon>
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          position="popper"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-(--radix-select-content-available-height) min-w-(--radix-select-trigger-width) max-w-96 overflow-hidden rounded-md border border-line-strong bg-raised shadow-pop"
        >
          <Radix.Viewport className="p-1">
            {options.map((option) => (
              <Radix.Item
                key={option.value}
                value={option.value}
                // Its name is all that stands in it, the hint too.
                aria-labelledby={undefined}
                className="flex cursor-default items-start gap-2 rounded-sm px-2 py-1.5 text-sm outline-none select-none data-[highlighted]:bg-hover"
              >
                <span className="mt-0.5 size-4 shrink-0">
                  <Radix.ItemIndicator>
                    <Check className="size-4 text-accent" />
                  </Radix.ItemIndicator>
                </span>
                <span className="min-w-0">
                  <Radix.ItemText>{option.label}</Radix.ItemText>
                  {option.hint !== undefined && (
                    <span className="block text-quiet text-xs">{option.hint}</span>
                  )}
                </span>
              </Radix.Item>
            ))}
          </Radix.Viewport>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
