import type { Job } from "../../../../src/contract/job.ts";
import { useReplay } from "../replay/replay-moment.tsx";
import { Stage } from "../replay/stage.tsx";
import { PromptPanel } from "./prompt-panel.tsx";
import { ResultPanel } from "./result-panel.tsx";
import { SettingsPanel } from "./settings-panel.tsx";
import { UsagePanel } from "./usage-panel.tsx";
import { WhyCard } from "./why-card.tsx";

/** What the job was asked, what it runs with, what it used, how it went and what came of it; during a replay what it was at. */
export function OverviewTab({ job }: { job: Job }) {
  const { at } = useReplay();
  return (
    <div className="@container min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto flex w-full max-w-5xl flex-col gap-4 p-4">
        {at === null ? (
          <>
            <WhyCard job={job} />
            {job.result !== null && <ResultPanel job={job} result={job.result} />}
            <UsagePanel job={job} />
          </>
        ) : (
          <Stage job={job} at={at} />
        )}
        <PromptPanel job={job} />
        <SettingsPanel job={job} />
      </div>
    </div>
  );
}
