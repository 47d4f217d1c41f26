import { useQuery } from "@tanstack/react-query";
import { Download, FileDiff as FileDiffIcon, Terminal } from "lucide-react";
import { useMemo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatSize } from "../../../../src/contract/units.ts";
import { request } from "../../api/request.ts";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { Diff, DiffStat } from "../../ui/diff.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { ChangedFiles } from "./changed-files.tsx";
import { patchFiles } from "./patch-files.ts";

/** Of a larger patch the beginning is shown. */
const SHOWN_MAX_BYTES = 32 * 1024 * 1024;
/** A patch of so few lines is open from the beginning. */
const OPEN_LINES_MAX = 400;

type Patch = { text: string; cut: boolean };

/** The patch of a job that kept one, file by file. */
export function PatchChanges({ job }: { job: Job }) {
  const path = `/jobs/${job.job_id}/changes`;
  const { data, error } = useQuery({
    queryKey: ["changes", job.job_id],
    queryFn: ({ signal }) => readPatch(path, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  const files = useMemo(() => (data === undefined ? [] : patchFiles(data.text)), [data]);
  if (error !== null)
    return (
      <div className="p-4">
        <Trouble error={error} />
      </div>
    );
  if (data === undefined) return <Skeleton className="m-4 h-40" />;
  if (files.length === 0)
    return (
      <Empty icon={<FileDiffIcon />} title="Nothing changed">
        The job left the files that were sent as they were, and made no new ones.
      </Empty>
    );
  const added = files.reduce((sum, file) => sum + file.added, 0);
  const removed = files.reduce((sum, file) => sum + file.removed, 0);
  return (
    <ChangedFiles
      head={
        <>
          <h2 className="font-medium text-sm">
            {files.length.toLocaleString()} {files.length === 1 ? "file" : "files"} changed
          </h2>
          <DiffStat added={added} removed={removed} />
          <span className="text-quiet text-xs">
            {data.cut ? `more than ${formatSize(SHOWN_MAX_BYTES)}: this is its beginning` : ""}
          </span>
          <div className="ml-auto flex items-center gap-1.5">
            {!data.cut && <CopyButton text={data.text} label="Copy the patch" />}
            <Button asChild size="sm">
              <a href={path} download={`${job.job_id}.patch`}>
                <Download aria-hidden />
                Download .patch
              </a>
            </Button>
          </div>
        </>
      }
      foot={<ApplyLine job_id={job.job_id} />}
      open={added + removed <= OPEN_LINES_MAX}
      files={files.map((file, place) => ({
        key: String(place),
        path: file.path ?? "A name that cannot be read",
        change: file.change,
        note: file.note,
        counts: file.note === "binary" ? null : file,
        content: () => <Diff diff={file.diff} label={`What changed in ${file.path ?? "a file"}`} />,
      }))}
    />
  );
}

function ApplyLine({ job_id }: { job_id: string }) {
  const command = `sealwork apply ${job_id}`;
  return (
    <p className="flex flex-wrap items-center gap-2 text-quiet text-xs">
      <Terminal aria-hidden className="size-4" />
      <span>Merge it into your own folder:</span>
      <span className="inline-flex min-w-0 items-center gap-1 rounded-md border bg-panel pl-2">
        <code className="min-w-0 truncate text-ink">{command}</code>
        <CopyButton text={command} label="Copy the command" />
      </span>
    </p>
  );
}

async function readPatch(path: string, signal: AbortSignal): Promise<Patch> {
  const answer = await request(path, { signal });
  if (answer.body === null) return { text: "", cut: false };
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const parts: string[] = [];
  for (let bytes = 0; bytes <= SHOWN_MAX_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) return { text: parts.join("") + decoder.decode(), cut: false };
    parts.push(decoder.decode(value, { stream: true }));
    bytes += value.byteLength;
  }
  await reader.cancel();
  return { text: parts.join(""), cut: true };
}
