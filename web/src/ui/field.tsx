import clsx from "clsx";
import { type ComponentProps, createContext, type ReactNode, use, useId } from "react";

type Described = { id: string; described_by: string | undefined; invalid: boolean };
const FieldContext = createContext<Described | null>(null);

/** What an input inside needs to be tied to its label, hint and error. */
export function useField(): { id?: string; "aria-describedby"?: string; "aria-invalid"?: true } {
  const field = use(FieldContext);
  if (field === null) return {};
  return {
    id: field.id,
    ...(field.described_by !== undefined && { "aria-describedby": field.described_by }),
    ...(field.invalid && { "aria-invalid": true as const }),
  };
}

/** A label over one input, with a hint or what is wrong with it below. */
export function Field({
  label,
  hint,
  error,
  className,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  error?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  const id = useId();
  const below = error ?? hint;
  const described_by = below === undefined ? undefined : `${id}-below`;
  return (
    <FieldContext value={{ id, described_by, invalid: error !== undefined }}>
      <div className={clsx("flex min-w-0 flex-col gap-1", className)}>
        <label htmlFor={id} className="font-medium text-soft text-xs">
          {label}
        </label>
        {children}
        {below !== undefined && (
          <p id={described_by} className={clsx("text-xs", error === undefined ? "text-quiet" : "text-bad")}>
            {below}
          </p>
        )}
      </div>
    </FieldContext>
  );
}

export const INPUT =
  "h-8 w-full min-w-0 rounded-md border border-line-strong bg-raised px-2.5 text-sm text-ink placeholder:text-quiet aria-invalid:border-bad";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...useField()} {...rest} className={clsx(INPUT, className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea {...useField()} {...rest} className={clsx(INPUT, "h-auto py-1.5 leading-5", className)} />;
}
