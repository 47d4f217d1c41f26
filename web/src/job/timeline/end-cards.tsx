import { Ban, CircleCheck, CircleX, Hand } from "lucide-react";
import type { Job, Status } from "../../../../src/contract/job.ts";
import { formatSpan } from "../../../../src/contract/units.ts";
import { Markdown } from "../../text/markdown.tsx";
import { visibleText } from "../../text/visible-text.ts";
import { Card, QuietLine } from "./card.tsx";
import { Moment } from "./moment.tsx";
import type { ItemOf } from "./timeline-items.ts";

/** The agent has answered, and stays for a follow-up. */
export function WaitingCard({ item, job }: { item: ItemOf<"waiting">; job: Job }) {
  const { summary, linger_s } = item.waiting.data;
  const stays = `It stays ${formatSpan(linger_s)} for a follow-up`;
  if (item.repeated || summary.trim() === "")
    return (
      <QuietLine icon={<Hand />} meta={<Moment at={item.at} replays={job.phase === "ended"} />}>
        {stays}
      </QuietLine>
    );
  return (
    <Card
      icon={<Hand />}
      tone="person"
      title={
        <h3>
          <span className="font-medium">The agent has answered</span>{" "}
          <span className="text-quiet">{stays}</span>
        </h3>
      }
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      <Markdown text={summary} className="-mt-1 text-sm" />
    </Card>
  );
}

type Ended = Extract<Status, "complete" | "error" | "cancelled">;
const ENDS: Record<Ended, { icon: React.ReactNode; tone: "good" | "bad" | "quiet"; title: string }> = {
  complete: { icon: <CircleCheck />, tone: "good", title: "The job is complete" },
  error: { icon: <CircleX />, tone: "bad", title: "The job failed" },
  cancelled: { icon: <Ban />, tone: "quiet", title: "The job was cancelled" },
};

/** How the job ended, with what the agent says of its work. */
export function EndCard({ item, job }: { item: ItemOf<"end">; job: Job }) {
  const { status, reason, summary } = item.ended.data;
  const { icon, tone, title } = ENDS[status === "complete" || status === "cancelled" ? status : "error"];
  return (
    <Card
      icon={icon}
      tone={tone}
      title={<h3 className="font-semibold">{title}</h3>}
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      {reason !== null && reason.message !== `${title}.` && (
        <p className="untrusted -mt-1 text-sm">{visibleText(reason.message)}</p>
      )}
      {summary.trim() !== "" && !item.repeated && <Markdown text={summary} className="text-sm" />}
    </Card>
  );
}
