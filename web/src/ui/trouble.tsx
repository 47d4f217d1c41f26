import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "../api/request.ts";

/** What went wrong, what to do about it, and a way to do it. */
export function Trouble({ error, action }: { error: unknown; action?: ReactNode }) {
  const { message, hint } = wordsOf(error);
  return (
    <div
      role="alert"
      className="flex items-start gap-2.5 rounded-md border border-bad-line bg-bad-soft px-3 py-2 text-sm"
    >
      <TriangleAlert className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 flex-1">
        <p className="untrusted text-ink">{message}</p>
        {hint !== null && <p className="untrusted text-soft">{hint}</p>}
      </div>
      {action}
    </div>
  );
}

export function wordsOf(error: unknown): { message: string; hint: string | null } {
  if (error instanceof ApiError) return { message: error.message, hint: error.hint };
  return { message: error instanceof Error ? error.message : String(error), hint: null };
}
