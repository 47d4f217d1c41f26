import clsx from "clsx";
import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

export type Tab = { value: string; label: ReactNode; icon?: ReactNode; disabled?: boolean };

/** A row of tabs over what the chosen one shows; only that is mounted. */
export function Tabs({
  tabs,
  value,
  onChange,
  label,
  end,
  className,
  children,
}: {
  tabs: readonly Tab[];
  value: string;
  onChange: (value: string) => void;
  label: string;
  /** At the right end of the row. */
  end?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <Radix.Root
      value={value}
      onValueChange={onChange}
      className={clsx("flex min-h-0 min-w-0 flex-col", className)}
    >
      <div className="flex shrink-0 items-center justify-between gap-2 border-b bg-panel pr-2">
        <Radix.List aria-label={label} className="flex min-w-0 overflow-x-auto px-2 [scrollbar-width:none]">
          {tabs.map((tab) => (
            <Radix.Trigger
              key={tab.value}
              value={tab.value}
              disabled={tab.disabled}
              className="-mb-px flex h-10 shrink-0 items-center gap-1.5 border-transparent border-b-2 px-2.5 text-quiet text-sm hover:text-ink focus-visible:outline-offset-[-2px] disabled:opacity-50 data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-ink [&_svg]:size-4"
            >
              {tab.icon}
              {tab.label}
            </Radix.Trigger>
          ))}
        </Radix.List>
        {end}
      </div>
      <Radix.Content
        value={value}
        className="flex min-h-0 flex-1 flex-col focus-visible:outline-offset-[-2px]"
      >
        {children}
      </Radix.Content>
    </Radix.Root>
  );
}
