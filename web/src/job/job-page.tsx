import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { FileDiff, Files, Gauge, Globe, Info, Monitor, NotebookText, SquareTerminal } from "lucide-react";
import { lazy, type ReactNode, Suspense } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { jobQuery } from "../api/jobs.ts";
import { Skeleton } from "../ui/skeleton.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { JobEventsProvider } from "./events/job-events-provider.tsx";
import { JobHeader } from "./job-header.tsx";
import { JOB_TABS, type JobTab } from "./job-search.ts";
import { ReplayBar } from "./replay/replay-bar.tsx";
import { ReplayProvider } from "./replay/replay-moment.tsx";
import { Timeline } from "./timeline/timeline.tsx";

const TABS: Record<JobTab, { label: string; icon: ReactNode }> = {
  overview: { label: "Overview", icon: <Info /> },
  desktop: { label: "Desktop", icon: <Monitor /> },
  terminal: { label: "Terminal", icon: <SquareTerminal /> },
  jupyter: { label: "Jupyter", icon: <NotebookText /> },
  files: { label: "Files", icon: <Files /> },
  ports: { label: "Ports", icon: <Globe /> },
  changes: { label: "Changes", icon: <FileDiff /> },
  metrics: { label: "Metrics", icon: <Gauge /> },
};

/** Each panel is loaded when it is first looked at. */
const PANELS = {
  overview: lazy(async () => ({ default: (await import("./overview/overview-tab.tsx")).OverviewTab })),
  desktop: lazy(async () => ({ default: (await import("./surfaces/desktop-tab.tsx")).DesktopTab })),
  terminal: lazy(async () => ({ default: (await import("./surfaces/terminal-tab.tsx")).TerminalTab })),
  jupyter: lazy(async () => ({ default: (await import("./surfaces/jupyter-tab.tsx")).JupyterTab })),
  files: lazy(async () => ({ default: (await import("./files/files-tab.tsx")).FilesTab })),
  ports: lazy(async () => ({ default: (await import("./surfaces/ports-tab.tsx")).PortsTab })),
  changes: lazy(async () => ({ default: (await import("./changes/changes-tab.tsx")).ChangesTab })),
  metrics: lazy(async () => ({ default: (await import("./metrics/metrics-tab.tsx")).MetricsTab })),
} satisfies Record<JobTab, unknown>;

export function JobPage() {
  const { id } = useParams({ from: "/shell/job/$id" });
  const { data: job, error } = useQuery(jobQuery(id));
  if (error !== null && job === undefined)
    return (
      <div className="mx-auto w-full max-w-xl p-6">
        <Trouble error={error} />
      </div>
    );
  if (job === undefined) return <Loading />;
  return (
    <JobEventsProvider key={id} job={job}>
      <ReplayProvider job={job}>
        <JobHeader job={job} />
        <ReplayBar job={job} />
        <Panes job={job} />
      </ReplayProvider>
    </JobEventsProvider>
  );
}

function Panes({ job }: { job: Job }) {
  const { tab = "overview" } = useSearch({ from: "/shell/job/$id" });
  const navigate = useNavigate({ from: "/job/$id" });
  const choose = (value: string): void => {
    const chosen = JOB_TABS.find((one) => one === value);
    void navigate({ search: (old) => ({ ...old, tab: chosen }), replace: true });
  };
  const Panel = PANELS[tab];
  return (
    <div className="flex min-h-0 flex-1 flex-col lg:flex-row">
      <section
        aria-label="Timeline"
        className="flex min-h-0 min-w-0 flex-1 flex-col lg:max-w-[46rem] lg:border-r"
      >
        <Timeline job={job} />
      </section>
      <Tabs
        label="Surfaces of the job"
        tabs={JOB_TABS.map((value) => ({ value, ...TABS[value] }))}
        value={tab}
        onChange={choose}
        className="flex-1"
      >
        <Suspense fallback={<Skeleton className="m-4 h-40" />}>
          <Panel job={job} />
        </Suspense>
      </Tabs>
    </div>
  );
}

function Loading() {
  return (
    <div className="flex flex-col gap-3 p-4" role="status" aria-label="Loading the job">
      <Skeleton className="h-6 w-1/2" />
      <Skeleton className="h-24" />
      <Skeleton className="h-24" />
    </div>
  );
}
