import { LoaderCircle } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatDuration } from "../../../../src/contract/units.ts";
import { visibleLine, visibleText } from "../../text/visible-text.ts";
import { Elapsed } from "../../ui/time.tsx";
import { Card } from "./card.tsx";
import { ChangedFiles } from "./changed-files.tsx";
import { CodeBlock } from "./code-block.tsx";
import { AllDisplayed } from "./displayed.tsx";
import { Moment } from "./moment.tsx";
import { OutputView } from "./output-view.tsx";
import { Screens } from "./screens.tsx";
import { endingOf, TOOLS } from "./step-look.tsx";
import type { ItemOf } from "./timeline-items.ts";

/** One step: what ran, what it wrote and showed, how it ended. */
export function StepCard({ item, job }: { item: ItemOf<"step">; job: Job }) {
  const { started, ended, displayed, files, screens } = item;
  const { step, tool, title, code, code_blob } = started.data;
  const { name, icon } = TOOLS[tool];
  const ending = ended === null ? null : endingOf(ended);
  const runs = ended === null && job.phase !== "ended";
  // What a file step writes is in its diff, and code of one line is the title.
  const says_more =
    code.trim() !== title.trim() && !(tool === "file" && files.length > 0) && code.trim() !== "";
  // The title of code is its first line, which stands below then.
  const title_in_code = says_more && code.trim().startsWith(title.trim());
  return (
    <Card
      icon={runs ? <LoaderCircle className="animate-spin [animation-duration:2.4s]" /> : icon}
      tone={runs ? "accent" : ending === null ? "quiet" : "bad"}
      title={
        <h3 className="untrusted line-clamp-3 font-mono text-[0.8125rem]" title={`Step ${step}, ${name}`}>
          <span className="sr-only">
            Step {step}, {name}:{" "}
          </span>
          {title_in_code ? (
            <span className="font-sans text-soft text-xs">{name}</span>
          ) : (
            visibleLine(title) || name
          )}
        </h3>
      }
      meta={
        <>
          {ending !== null && (
            <span className="rounded-sm bg-bad-soft px-1.5 font-medium text-bad">{ending}</span>
          )}
          {ended !== null && <span>{formatDuration(ended.data.duration_ms)}</span>}
          {runs && <Elapsed from={started.at} to={null} className="text-accent" />}
          <Moment at={started.at} replays={job.phase === "ended"} />
        </>
      }
    >
      {says_more && <CodeBlock id={item.key} text={code} cut={code_blob !== null} />}
      <OutputView item={item} job={job} />
      {displayed.length > 0 && <AllDisplayed id={item.key} displayed={displayed} />}
      {ended !== null && ended.data.message !== null && (
        <p className="untrusted text-sm text-soft">{visibleText(ended.data.message)}</p>
      )}
      {files.length > 0 && <ChangedFiles id={item.key} files={files} />}
      {screens.length > 0 && <Screens screens={screens} />}
    </Card>
  );
}
