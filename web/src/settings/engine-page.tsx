import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX, RefreshCw, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Check } from "../../../src/contract/api.ts";
import { doctorQuery, healthQuery } from "../api/server.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Ago } from "../ui/time.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { SettingsSection } from "./settings-section.tsx";

const ICONS: Record<Check["state"], ReactNode> = {
  ok: <CircleCheck className="text-good" role="img" aria-label="Works" />,
  warning: <TriangleAlert className="text-warn" role="img" aria-label="Could be better" />,
  failed: <CircleX className="text-bad" role="img" aria-label="Does not work" />,
};

/** What works on the server's machine, and how to mend what does not. */
export function EnginePage() {
  const { data, error, isFetching, refetch, dataUpdatedAt } = useQuery(doctorQuery);
  const { data: health } = useQuery(healthQuery);
  return (
    <SettingsSection
      title="Engine"
      about={
        <>
          What sealwork doctor finds on the machine of the server
          {health !== undefined && `, which runs version ${health.version}`}. It starts a container to try it.
        </>
      }
      actions={
        <>
          {data !== undefined && <CopyButton text={reportOf(data.checks)} label="Copy as text" size="md" />}
          <Button disabled={isFetching} onClick={() => void refetch()}>
            <RefreshCw aria-hidden className={isFetching ? "animate-spin" : undefined} />
            Check again
          </Button>
        </>
      }
    >
      {error !== null && <Trouble error={error} />}
      <p role="status" className="text-sm text-soft">
        {isFetching ? (
          "Trying the engine…"
        ) : data === undefined ? (
          ""
        ) : (
          <>
            <span className="font-medium text-ink">{verdictOf(data.checks)}</span>{" "}
            <span className="text-quiet">
              Checked <Ago at={new Date(dataUpdatedAt).toISOString()} />.
            </span>
          </>
        )}
      </p>
      {data === undefined && error === null && <Waiting />}
      {data !== undefined && (
        <ul className="divide-y rounded-lg border bg-panel">
          {data.checks.map((check) => (
            <li
              key={check.name}
              className="flex items-start gap-3 px-4 py-2.5 [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0"
            >
              {ICONS[check.state]}
              <div className="flex min-w-0 flex-1 flex-col gap-x-4 sm:flex-row">
                <p className="w-28 shrink-0 font-medium text-sm first-letter:uppercase">{check.name}</p>
                <div className="min-w-0 flex-1 text-sm">
                  <p className="untrusted text-soft">{check.message}</p>
                  {check.hint !== null && <p className="untrusted mt-0.5 text-quiet text-xs">{check.hint}</p>}
                </div>
              </div>
            </li>
          ))}
        </ul>
      )}
    </SettingsSection>
  );
}

/** About as many lines as there will be. */
const LINES = 11;

function Waiting() {
  return (
    <div className="divide-y rounded-lg border bg-panel">
      {Array.from({ length: LINES }, (_, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike.
        <div key={n} className="flex items-center gap-3 px-4 py-3">
          <Skeleton className="size-4" />
          <Skeleton className="h-3 w-20" />
          <Skeleton className="ml-11 h-3 w-56 max-sm:hidden" />
        </div>
      ))}
    </div>
  );
}

function verdictOf(checks: readonly Check[]): string {
  const count = (state: Check["state"]) => checks.filter((check) => check.state === state).length;
  const failed = count("failed");
  const warned = count("warning");
  if (failed > 0) return failed === 1 ? "One thing does not work." : `${failed} things do not work.`;
  if (warned > 0)
    return warned === 1
      ? "All works; one thing could be better."
      : `All works; ${warned} things could be better.`;
  return "All works.";
}

function reportOf(checks: readonly Check[]): string {
  return checks
    .map(
      ({ name, state, message, hint }) =>
        `${state} ${name}: ${message}${hint === null ? "" : `\n  → ${hint}`}`,
    )
    .join("\n");
}
