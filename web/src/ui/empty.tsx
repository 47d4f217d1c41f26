import type { ReactNode } from "react";

/** What stands where there is nothing to see: what would be here, and what to do. */
export function Empty({
  icon,
  title,
  children,
  actions,
}: {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="flex min-h-40 flex-1 flex-col items-center justify-center gap-2 px-6 py-10 text-center">
      {icon !== undefined && (
        <div className="mb-1 text-faint [&_svg]:size-8 [&_svg]:stroke-[1.5]">{icon}</div>
      )}
      <h2 className="font-medium text-base">{title}</h2>
      {children !== undefined && <div className="max-w-md text-balance text-quiet text-sm">{children}</div>}
      {actions !== undefined && <div className="mt-3 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}
