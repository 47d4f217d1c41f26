import { useQuery, useQueryClient } from "@tanstack/react-query";
import clsx from "clsx";
import { Globe, RadioTower } from "lucide-react";
import { useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import type { ListeningPort, PortList } from "../../../../src/contract/surfaces.ts";
import { requestJson } from "../../api/request.ts";
import { useEvents } from "../../feed/use-feed.ts";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { NotYet } from "./not-open.tsx";
import { PortPreview } from "./port-preview.tsx";
import { sandboxState } from "./sandbox-state.ts";

export function PortsTab({ job }: { job: Job }) {
  const state = sandboxState(job);
  if (state === "before") return <NotYet job={job} what="What its servers show" />;
  if (state === "over")
    return (
      <Empty icon={<Globe />} title="The sandbox is gone, and its servers with it">
        The files that they served are under Files; the timeline says which ports were open when.
      </Empty>
    );
  return <Ports job={job} />;
}

function Ports({ job }: { job: Job }) {
  const client = useQueryClient();
  const queryKey = ["ports", job.job_id];
  const { data, error, refetch } = useQuery({
    queryKey,
    queryFn: ({ signal }) => requestJson<PortList>(`/jobs/${job.job_id}/ports`, { signal }),
  });
  useEvents((events) => {
    const changed = events.some(
      ({ job_id, type }) => job_id === job.job_id && (type === "port.opened" || type === "port.closed"),
    );
    if (changed) void client.invalidateQueries({ queryKey });
  });
  const [chosen, choose] = useState<number | null>(null);
  if (error !== null && data === undefined)
    return (
      <div className="p-4">
        <Trouble
          error={error}
          action={
            <Button size="sm" onClick={() => void refetch()}>
              Try again
            </Button>
          }
        />
      </div>
    );
  if (data === undefined) return <Skeleton className="m-4 flex-1" />;
  const { ports } = data;
  // The one server there is needs no choosing.
  const shown = chosen ?? (ports.length === 1 ? (ports[0]?.port ?? null) : null);
  if (ports.length === 0 && shown === null)
    return (
      <Empty icon={<RadioTower />} title="Nothing listens yet">
        A web server that the agent starts in its sandbox, on any port, is shown here as soon as it listens.
      </Empty>
    );
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-panel">
      <PortChoice ports={ports} shown={shown} choose={choose} />
      {shown === null ? (
        <Empty icon={<Globe />} title="Choose what to look at">
          Each port is shown at an address of its own, apart from this page and from all others.
        </Empty>
      ) : (
        <PortPreview
          key={shown}
          job_id={job.job_id}
          port={shown}
          listens={ports.some(({ port }) => port === shown)}
        />
      )}
    </div>
  );
}

function PortChoice({
  ports,
  shown,
  choose,
}: {
  ports: ListeningPort[];
  shown: number | null;
  choose: (port: number) => void;
}) {
  return (
    <ul aria-label="Ports that listen" className="flex shrink-0 gap-1.5 overflow-x-auto border-b px-3 py-2">
      {ports.map(({ port, process, address }) => (
        <li key={port} className="shrink-0">
          <button
            type="button"
            aria-pressed={port === shown}
            title={`Listens at ${address}`}
            onClick={() => choose(port)}
            className={clsx(
              "flex h-7 items-center gap-2 rounded-md border px-2.5 text-sm",
              port === shown
                ? "border-accent-line bg-accent-soft font-medium text-accent"
                : "border-line-strong hover:bg-hover",
            )}
          >
            <span aria-hidden className="size-1.5 rounded-full bg-good" />
            <span className="tabular font-mono">{port}</span>
            {process !== null && (
              <span className="untrusted max-w-40 truncate font-normal text-quiet text-xs">{process}</span>
            )}
          </button>
        </li>
      ))}
    </ul>
  );
}
