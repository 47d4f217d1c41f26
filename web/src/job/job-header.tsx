import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import clsx from "clsx";
import {
  Ban,
  ChevronDown,
  Copy,
  CopyPlus,
  Download,
  Ellipsis,
  RotateCcw,
  SquareTerminal,
} from "lucide-react";
import { useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { formatSize } from "../../../src/contract/units.ts";
import { cancelJob, retryJob } from "../api/jobs.ts";
import { visibleText } from "../text/visible-text.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Menu, MenuItem, MenuLine } from "../ui/menu.tsx";
import { promptTitle } from "../ui/one-line.ts";
import { JobStatus } from "../ui/status.tsx";
import { useToasts } from "../ui/toasts.tsx";
import { JobMeters } from "./job-meters.tsx";

/** What a job is and how it stands, and what can be done with it as a whole. */
export function JobHeader({ job }: { job: Job }) {
  const [open, setOpen] = useState(false);
  const title = promptTitle(job.prompt);
  const has_more = job.prompt.trim() !== title || title.length > 90;
  return (
    <header className="flex shrink-0 flex-col gap-1 border-b bg-panel px-3 py-2 sm:px-4">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <JobStatus job={job} className="shrink-0" />
        <h1 className="min-w-0 flex-1 font-semibold text-base max-sm:order-last max-sm:basis-full">
          {has_more ? (
            <button
              type="button"
              aria-expanded={open}
              onClick={() => setOpen(!open)}
              title={open ? "Show less of the prompt" : "Show the whole prompt"}
              className="flex max-w-full items-center gap-1 rounded-sm text-left"
            >
              <span className="untrusted min-w-0 truncate">{title}</span>
              <ChevronDown
                aria-hidden
                className={clsx("size-4 shrink-0 text-quiet transition-transform", open && "rotate-180")}
              />
            </button>
          ) : (
            <span className="untrusted block truncate">{title}</span>
          )}
        </h1>
        <Actions job={job} />
      </div>
      {open && (
        <pre className="untrusted max-h-[40vh] overflow-y-auto whitespace-pre-wrap rounded-md bg-sunken px-3 py-2 text-xs">
          {visibleText(job.prompt)}
        </pre>
      )}
      <JobMeters job={job} />
      {job.status === "error" && job.reason !== null && (
        <p className="untrusted line-clamp-2 text-bad text-sm">{visibleText(job.reason.message)}</p>
      )}
    </header>
  );
}

function Actions({ job }: { job: Job }) {
  const navigate = useNavigate();
  const { failed, done } = useToasts();
  const again = useMutation({
    mutationFn: () => retryJob(job.job_id),
    onSuccess: ({ job_id }) => navigate({ to: "/job/$id", params: { id: job_id } }),
    onError: failed,
  });
  const ended = job.phase === "ended";
  const artifact = job.result?.artifact ?? null;
  const copy = (text: string, what: string) =>
    navigator.clipboard.writeText(text).then(() => done(`${what} is in the clipboard.`), failed);
  return (
    <div className="flex shrink-0 items-center gap-1.5">
      {!ended && <Cancel job_id={job.job_id} />}
      {ended && artifact !== null && (
        <Button size="sm" asChild>
          <a href={`/download/${job.job_id}`} download="">
            <Download aria-hidden />
            <span className="sr-only">Download</span> <span className="max-sm:sr-only">ZIP</span>{" "}
            <span className="tabular text-quiet max-sm:sr-only">{formatSize(artifact.size_bytes)}</span>
          </a>
        </Button>
      )}
      {ended && (
        <Button size="sm" disabled={again.isPending} onClick={() => again.mutate()} className="max-sm:hidden">
          <RotateCcw aria-hidden />
          Retry
        </Button>
      )}
      <Menu
        trigger={
          <IconButton label="More actions" size="sm">
            <Ellipsis />
          </IconButton>
        }
      >
        <MenuItem onSelect={() => again.mutate()}>
          <RotateCcw aria-hidden />
          Retry: the same again
        </MenuItem>
        <MenuItem asChild>
          <Link to="/new" search={{ from: job.job_id }}>
            <CopyPlus aria-hidden />
            Clone: change it first
          </Link>
        </MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => void copy(job.job_id, "The id of the job")}>
          <Copy aria-hidden />
          Copy its id
        </MenuItem>
        <MenuItem onSelect={() => void copy(`sealwork watch ${job.job_id}`, "The command")}>
          <SquareTerminal aria-hidden />
          Copy the command to watch it
        </MenuItem>
      </Menu>
    </div>
  );
}

/** Asks where the button was. */
function Cancel({ job_id }: { job_id: string }) {
  const [asks, setAsks] = useState(false);
  const { failed } = useToasts();
  const { mutate, isPending, isSuccess } = useMutation({
    mutationFn: () => cancelJob(job_id),
    onError: failed,
    onSettled: () => setAsks(false),
  });
  if (!asks)
    return (
      <Button look="danger" size="sm" disabled={isPending || isSuccess} onClick={() => setAsks(true)}>
        <Ban aria-hidden />
        {isSuccess ? "Cancelling" : "Cancel"}
      </Button>
    );
  return (
    <fieldset className="flex items-center gap-1.5">
      <legend className="sr-only">Cancel the job?</legend>
      <Button look="danger" size="sm" autoFocus disabled={isPending} onClick={() => mutate()}>
        Yes, cancel the job
      </Button>
      <Button look="ghost" size="sm" onClick={() => setAsks(false)}>
        No
      </Button>
    </fieldset>
  );
}
