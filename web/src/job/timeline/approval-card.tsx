import { Check, Hand, ShieldX, X } from "lucide-react";
import { useEffect, useState } from "react";
import type { Job, OpenApproval } from "../../../../src/contract/job.ts";
import { formatWholeSeconds } from "../../../../src/contract/units.ts";
import { visibleLine, visibleText } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import { useNow } from "../../ui/clock.ts";
import { Card, QuietLine } from "./card.tsx";
import { CodeBlock } from "./code-block.tsx";
import { Moment } from "./moment.tsx";
import type { ItemOf } from "./timeline-items.ts";
import { useAnswer } from "./use-answer.ts";

const KINDS: Record<OpenApproval["kind"], string> = {
  egress: "May it reach this host?",
  step: "May it run this step?",
  permission: "May it do this?",
};
const WHY = { person: "", timeout: ", as nobody answered in time", job_end: ", as the job ended" };

/** A question of the job. Once it is answered one line says how: what was allowed follows. */
export function ApprovalCard({ item, job }: { item: ItemOf<"approval">; job: Job }) {
  const { asked, given } = item;
  const { n, kind, title, detail, expires_at } = asked.data;
  const moment = <Moment at={item.at} replays={job.phase === "ended"} />;
  if (given !== null || job.phase === "ended") {
    const allowed = given?.data.decision === "allow";
    const word = given === null ? "Not answered" : allowed ? "Allowed" : "Denied";
    return (
      <QuietLine icon={allowed ? <Check /> : <ShieldX />} meta={moment}>
        <span className="font-medium text-soft">
          {word}
          {given !== null && WHY[given.data.by]}:
        </span>{" "}
        <span className="line-clamp-2">{visibleLine(title)}</span>
      </QuietLine>
    );
  }
  return (
    <Card icon={<Hand />} tone="person" title={<h3 className="font-medium">{KINDS[kind]}</h3>} meta={moment}>
      <p className="untrusted -mt-1 font-mono text-[0.8125rem]">{visibleLine(title)}</p>
      {detail.trim() !== "" && !title.trim().endsWith(detail.trim()) && (
        <CodeBlock id={`${item.key} detail`} text={visibleText(detail)} />
      )}
      <Answers job_id={job.job_id} n={n} expires_at={expires_at} />
    </Card>
  );
}

/** A second click that was meant for the question before lands within this. */
const SETTLES_MS = 600;

/** The two answers, and how long there is for one. `follows`: it takes the place of another question, so it takes no answer at first. */
export function Answers({
  job_id,
  n,
  expires_at,
  follows = false,
}: {
  job_id: string;
  n: number;
  expires_at: string | null;
  follows?: boolean;
}) {
  const { mutate, isPending, isSuccess } = useAnswer(job_id, n);
  const [settled, setSettled] = useState(!follows);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLES_MS);
    return () => clearTimeout(timer);
  }, []);
  const done = isPending || isSuccess || !settled;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Button look="primary" size="sm" disabled={done} data-answer="allow" onClick={() => mutate("allow")}>
        <Check aria-hidden />
        Allow
      </Button>
      <Button size="sm" disabled={done} data-answer="deny" onClick={() => mutate("deny")}>
        <X aria-hidden />
        Deny
      </Button>
      {expires_at !== null && <TimeLeft to={expires_at} />}
    </div>
  );
}

function TimeLeft({ to }: { to: string }) {
  const left_s = Math.max(0, (Date.parse(to) - useNow()) / 1000);
  return (
    <span className="tabular text-quiet text-xs">No answer for {formatWholeSeconds(left_s)} means no</span>
  );
}
