import { Link } from "@tanstack/react-router";
import { ArrowUpRight, Ban, Copy, Download, Ellipsis, RotateCcw } from "lucide-react";
import type { Job } from "../../../src/contract/job.ts";
import { IconButton } from "../ui/button.tsx";
import { Menu, MenuItem, MenuLine } from "../ui/menu.tsx";
import { isOver, useJobActions } from "./job-actions.tsx";

/** What can be done with the job of a row. */
export function RowMenu({ job, title, tabIndex }: { job: Job; title: string; tabIndex: number }) {
  const actions = useJobActions();
  return (
    <Menu
      trigger={
        <IconButton label={`Actions for ${title}`} size="sm" tabIndex={tabIndex} className="relative">
          <Ellipsis />
        </IconButton>
      }
    >
      <MenuItem asChild>
        <Link to="/job/$id" params={{ id: job.job_id }}>
          <ArrowUpRight />
          Open
        </Link>
      </MenuItem>
      {isOver(job) && (
        <MenuItem asChild>
          <a href={`/download/${job.job_id}`} download>
            <Download />
            Download ZIP
          </a>
        </MenuItem>
      )}
      <MenuItem onSelect={() => actions.clone(job)}>
        <Copy />
        Clone into a new job
      </MenuItem>
      {isOver(job) ? (
        <MenuItem onSelect={() => actions.retry(job)}>
          <RotateCcw />
          Retry as it was
        </MenuItem>
      ) : (
        <>
          <MenuLine />
          <MenuItem danger onSelect={() => actions.cancel(job)}>
            <Ban />
            Cancel…
          </MenuItem>
        </>
      )}
    </Menu>
  );
}
