import { memo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { ApprovalCard } from "./approval-card.tsx";
import { DeniedCard } from "./denied-card.tsx";
import { EndCard, WaitingCard } from "./end-cards.tsx";
import { MessageCard } from "./message-card.tsx";
import { PlanCard } from "./plan-card.tsx";
import { CallsLine, FilesCard, ImageLine, NoteLine, ScreensCard } from "./quiet-lines.tsx";
import { StepCard } from "./step-card.tsx";
import type { TimelineItem } from "./timeline-items.ts";

export const ItemView = memo(function ItemView({ item, job }: { item: TimelineItem; job: Job }) {
  switch (item.kind) {
    case "step":
      return <StepCard item={item} job={job} />;
    case "plan":
      return <PlanCard item={item} />;
    case "message":
      return <MessageCard item={item} job={job} />;
    case "approval":
      return <ApprovalCard item={item} job={job} />;
    case "denied":
      return <DeniedCard item={item} job={job} />;
    case "calls":
      return <CallsLine item={item} />;
    case "files":
      return <FilesCard item={item} job={job} />;
    case "screens":
      return <ScreensCard item={item} job={job} />;
    case "image":
      return <ImageLine item={item} />;
    case "note":
      return <NoteLine item={item} job={job} />;
    case "waiting":
      return <WaitingCard item={item} job={job} />;
    case "end":
      return <EndCard item={item} job={job} />;
  }
});
