import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import clsx from "clsx";
import {
  FileDiff,
  Files,
  Gauge,
  Globe,
  Info,
  ListTree,
  Monitor,
  NotebookText,
  PanelTop,
  SquareTerminal,
} from "lucide-react";
import { type ReactNode, Suspense, useEffect, useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { jobQuery } from "../api/jobs.ts";
import { lazyPart } from "../ui/load-part.ts";
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
  overview: lazyPart(() => import("./overview/overview-tab.tsx"), "OverviewTab"),
  desktop: lazyPart(() => import("./surfaces/desktop-tab.tsx"), "DesktopTab"),
  terminal: lazyPart(() => import("./surfaces/terminal-tab.tsx"), "TerminalTab"),
  jupyter: lazyPart(() => import("./surfaces/jupyter-tab.tsx"), "JupyterTab"),
  files: lazyPart(() => import("./files/files-tab.tsx"), "FilesTab"),
  ports: lazyPart(() => import("./surfaces/ports-tab.tsx"), "PortsTab"),
  changes: lazyPart(() => import("./changes/changes-tab.tsx"), "ChangesTab"),
  metrics: lazyPart(() => import("./metrics/metrics-tab.tsx"), "MetricsTab"),
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
  const { tab: chosen_tab } = useSearch({ from: "/shell/job/$id" });
  const tab = chosen_tab ?? "overview";
  const navigate = useNavigate({ from: "/job/$id" });
  const choose = (value: string): void => {
    const chosen = JOB_TABS.find((one) => one === value);
    void navigate({ search: (old) => ({ ...old, tab: chosen }), replace: true });
  };
  const Panel = PANELS[tab];
  // Where there is no room for both sides, one of them is shown.
  const [side, setSide] = useState<Side>("timeline");
  useEffect(() => {
    // A link to a tab leads there, from within the timeline too.
    if (chosen_tab !== undefined) setSide("surfaces");
  }, [chosen_tab]);
  return (
    <>
      <div className="flex min-h-0 flex-1 flex-col lg:flex-row">
        <section
          aria-label="Timeline"
          className={clsx(
            "flex min-h-0 min-w-0 flex-1 flex-col lg:max-w-[46rem] lg:border-r",
            side !== "timeline" && "max-lg:hidden",
          )}
        >
          <Timeline job={job} />
        </section>
        <Tabs
          label="Surfaces of the job"
          tabs={JOB_TABS.map((value) => ({ value, ...TABS[value] }))}
          value={tab}
          onChange={choose}
          className={clsx("flex-1", side !== "surfaces" && "max-lg:hidden")}
        >
          <Suspense fallback={<Skeleton className="m-4 h-40" />}>
            <Panel job={job} />
          </Suspense>
        </Tabs>
      </div>
      <nav aria-label="Sides of the job" className="grid shrink-0 grid-cols-2 border-t bg-panel lg:hidden">
        <SideButton
          icon={<ListTree />}
          text="Timeline"
          current={side === "timeline"}
          onClick={() => setSide("timeline")}
        />
        <SideButton
          icon={<PanelTop />}
          text="Surfaces"
          current={side === "surfaces"}
          onClick={() => setSide("surfaces")}
        />
      </nav>
    </>
  );
}

type Side = "timeline" | "surfaces";

function SideButton({
  icon,
  text,
  current,
  onClick,
}: {
  icon: ReactNode;
  text: string;
  current: boolean;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      aria-pressed={current}
      onClick={onClick}
      className={clsx(
        "flex h-12 items-center justify-center gap-2 text-sm [&_svg]:size-4",
        current ? "font-medium text-accent" : "text-quiet",
      )}
    >
      {icon}
      {text}
    </button>
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
