import clsx from "clsx";
import { Slot } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { Tip } from "./tip.tsx";

type Look = "primary" | "plain" | "ghost" | "danger" | "person";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-accent-ink hover:bg-accent-strong border-transparent font-medium",
  plain: "bg-raised text-ink border-line-strong hover:bg-hover",
  ghost: "border-transparent text-soft hover:bg-hover hover:text-ink",
  danger: "border-bad-line bg-raised text-bad hover:bg-bad-soft",
  person: "border-person-line bg-person-soft text-person hover:brightness-105 font-medium",
};
const SIZES = { sm: "h-7 px-2 text-xs gap-1.5", md: "h-8 px-3 text-sm gap-2" };
const SHAPE =
  "inline-flex shrink-0 items-center justify-center rounded-md border whitespace-nowrap select-none transition-colors disabled:opacity-50 disabled:pointer-events-none [&_svg]:size-4 [&_svg]:shrink-0";

type Props = ComponentProps<"button"> & { look?: Look; size?: keyof typeof SIZES; asChild?: boolean };

/** With `asChild` its one child, such as a link, looks like a button. */
export function Button({ look = "plain", size = "md", asChild = false, className, ...rest }: Props) {
  const Part = asChild ? Slot.Root : "button";
  const type = asChild ? {} : { type: rest.type ?? ("button" as const) };
  return <Part {...rest} {...type} className={clsx(SHAPE, LOOKS[look], SIZES[size], className)} />;
}

/** A button that is an icon: its name is told to those who cannot see it, and shown when it is pointed at. */
export function IconButton({
  label,
  shortcut,
  children,
  size = "md",
  className,
  look = "ghost",
  ...rest
}: Props & { label: string; shortcut?: string | undefined; children: ReactNode }) {
  return (
    <Tip text={label} shortcut={shortcut}>
      <Button
        {...rest}
        look={look}
        size={size}
        aria-label={label}
        className={clsx("aspect-square px-0!", className)}
      >
        {children}
      </Button>
    </Tip>
  );
}
