import { Link, useNavigate } from "@tanstack/react-router";
import { CopyPlus, RotateCcw } from "lucide-react";
import { useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { retryJob } from "../../api/jobs.ts";
import { Button } from "../../ui/button.tsx";
import { useToasts } from "../../ui/toasts.tsx";
import type { Fix } from "./cause.ts";

/** Does what mends the job, or leads to where that is done. */
export function FixButton({ job, fix, first }: { job: Job; fix: Fix; first: boolean }) {
  const look = first ? "primary" : "plain";
  if (fix.kind === "retry") return <Retry job={job} label={fix.label} look={look} />;
  if (fix.kind === "page")
    return (
      <Button asChild size="sm" look={look}>
        <Link to={fix.to}>{fix.label}</Link>
      </Button>
    );
  return (
    <Button asChild size="sm" look={look}>
      <Link to="/new" search={{ from: job.job_id, ...fix.change }}>
        <CopyPlus aria-hidden />
        {fix.label}
      </Link>
    </Button>
  );
}

function Retry({ job, label, look }: { job: Job; label: string; look: "primary" | "plain" }) {
  const [sending, setSending] = useState(false);
  const navigate = useNavigate();
  const { failed } = useToasts();
  const retry = async (): Promise<void> => {
    setSending(true);
    try {
      const { job_id } = await retryJob(job.job_id);
      await navigate({ to: "/job/$id", params: { id: job_id } });
    } catch (error) {
      failed(error);
      setSending(false);
    }
  };
  return (
    <Button size="sm" look={look} disabled={sending} onClick={() => void retry()}>
      <RotateCcw aria-hidden />
      {label}
    </Button>
  );
}
