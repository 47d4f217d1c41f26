import type { ReactNode } from "react";

/** A page of the settings: what it is about, what can be done, and what there is. */
export function SettingsSection({
  title,
  about,
  actions,
  children,
}: {
  title: string;
  about: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="flex min-w-0 flex-col gap-5">
      <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3 sm:flex-nowrap">
        <div className="min-w-0 max-w-xl">
          <h2 className="font-semibold text-lg tracking-tight">{title}</h2>
          <p className="mt-0.5 text-pretty text-quiet text-sm">{about}</p>
        </div>
        {actions !== undefined && <div className="flex shrink-0 gap-2">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** A small word beside a name, such as `default`. */
export function Badge({
  tone = "plain",
  children,
}: {
  tone?: "plain" | "accent" | "warn";
  children: ReactNode;
}) {
  return (
    <span className={`whitespace-nowrap rounded-sm px-1.5 py-px text-2xs font-medium ${TONES[tone]}`}>
      {children}
    </span>
  );
}

const TONES = {
  plain: "bg-hover text-soft",
  accent: "bg-accent-soft text-accent",
  warn: "bg-warn-soft text-warn",
};
