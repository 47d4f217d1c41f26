import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, ShieldBan } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { jobQuery, openHost } from "../../api/jobs.ts";
import { visibleLine, visibleText } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import { useToasts } from "../../ui/toasts.tsx";
import { Card } from "./card.tsx";
import { Moment } from "./moment.tsx";
import type { ItemOf } from "./timeline-items.ts";

/** A connection that was not let out, and the way to let it. */
export function DeniedCard({ item, job }: { item: ItemOf<"denied">; job: Job }) {
  const { host, port, rule, message } = item.denied.data;
  const queries = useQueryClient();
  const { failed, done } = useToasts();
  const { mutate, isPending } = useMutation({
    mutationFn: () => openHost(job.job_id, host),
    onSuccess: () => {
      done(`${visibleLine(host)} is open for this job.`);
      void queries.invalidateQueries({ queryKey: jobQuery(job.job_id).queryKey });
    },
    onError: failed,
  });
  const open = job.egress.hosts.some((one) => one.toLowerCase() === host.toLowerCase());
  // What was refused for its address or its form cannot be let through by name.
  const can_open = job.phase !== "ended" && !open && (rule === "policy" || rule === "approval");
  return (
    <Card
      icon={<ShieldBan />}
      tone={open ? "quiet" : "bad"}
      title={
        <h3>
          <span className="untrusted font-mono text-[0.8125rem]">
            {visibleLine(host)}:{port}
          </span>{" "}
          <span className="text-quiet">was not reached{item.count > 1 && `, ${item.count} times`}</span>
        </h3>
      }
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      <p className="untrusted -mt-1 text-soft text-xs">{visibleText(message)}</p>
      {open && (
        <p className="flex items-center gap-1.5 text-good text-xs">
          <Check aria-hidden className="size-3.5" />
          Open for this job since
        </p>
      )}
      {can_open && (
        <span>
          <Button size="sm" disabled={isPending} onClick={() => mutate()}>
            Allow this domain for this job
          </Button>
        </span>
      )}
    </Card>
  );
}
