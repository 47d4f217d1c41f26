import { Download, FolderArchive } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatSize } from "../../../../src/contract/units.ts";
import { Markdown } from "../../text/markdown.tsx";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { Panel } from "./panel.tsx";

const HASH_SHOWN_CHARS = 12;

/** What the agent said at the end, and the ZIP. */
export function ResultPanel({ job, result }: { job: Job; result: NonNullable<Job["result"]> }) {
  const { artifact } = result;
  // What a script job sums up is why it failed, which stands above.
  const summary = result.summary === job.reason?.message ? "" : result.summary;
  if (summary === "" && artifact === null) return null;
  return (
    <Panel title="What came of it">
      {summary !== "" && <Markdown text={summary} className="pt-1" />}
      {artifact !== null && (
        <div className="not-first:mt-3 flex flex-wrap items-center gap-x-4 gap-y-2 rounded-md border bg-sunken px-3 py-2.5">
          <FolderArchive aria-hidden className="size-5 shrink-0 text-quiet" />
          <div className="min-w-0 flex-1 basis-56 text-sm">
            <p>
              <span className="font-medium">{formatSize(artifact.size_bytes)}</span>
              <span className="text-quiet">
                {" "}
                in {artifact.files.toLocaleString()} {artifact.files === 1 ? "file" : "files"}
              </span>
            </p>
            <p className="flex items-center gap-1 text-quiet text-xs">
              <span title={artifact.sha256} className="font-mono">
                sha256 {artifact.sha256.slice(0, HASH_SHOWN_CHARS)}…
              </span>
              <CopyButton text={artifact.sha256} label="Copy the SHA-256" />
            </p>
          </div>
          <Button asChild look={job.status === "complete" ? "primary" : "plain"}>
            <a href={`/download/${job.job_id}`} download>
              <Download aria-hidden />
              Download ZIP
            </a>
          </Button>
        </div>
      )}
    </Panel>
  );
}
