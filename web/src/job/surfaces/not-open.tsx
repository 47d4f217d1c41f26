import { Link } from "@tanstack/react-router";
import { Copy, Hourglass } from "lucide-react";
import type { ReactNode } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";

/** Stands for a surface of a job that has not begun; it opens by itself when the job does. */
export function NotYet({ job, what }: { job: Job; what: string }) {
  const queued = job.phase === "queued";
  return (
    <Empty icon={<Hourglass />} title={queued ? "The job waits for its turn" : "The sandbox starts"}>
      {what} opens here as soon as it works.
    </Empty>
  );
}

/** Stands for a surface that the image of the job lacks. */
export function NotInImage({
  job,
  icon,
  title,
  children,
}: {
  job: Job;
  icon: ReactNode;
  title: string;
  children: ReactNode;
}) {
  return (
    <Empty
      icon={icon}
      title={title}
      actions={
        <Button asChild>
          <Link to="/new" search={{ from: job.job_id }}>
            <Copy />
            Clone this job
          </Link>
        </Button>
      }
    >
      {children}
    </Empty>
  );
}
