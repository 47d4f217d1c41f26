import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { formatSize } from "../../../../src/contract/units.ts";
import { request } from "../../api/request.ts";
import { Button } from "../../ui/button.tsx";
import { Diff } from "../../ui/diff.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import type { EventOf } from "../events/job-events.ts";

type Changed = EventOf<"file.changed">["data"];

/** The diff of a file as an event tells it: its beginning, and the whole of a long one by need. */
export function FileDiff({
  job_id,
  changed,
  edit,
  preview,
}: {
  job_id: string;
  changed: Changed;
  /** Its number, where others of the same file stand beside it. */
  edit?: number;
  preview?: number;
}) {
  const { path, diff, diff_blob, size_bytes, change } = changed;
  const [wanted, setWanted] = useState(false);
  const { data: whole, error } = useQuery({
    queryKey: ["blob", job_id, diff_blob],
    queryFn: async ({ signal }) => (await request(`/jobs/${job_id}/blobs/${diff_blob}`, { signal })).text(),
    enabled: wanted && diff_blob !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const shown = whole ?? diff;
  if (shown === null)
    return (
      <p className="px-3 py-2 text-quiet text-xs">
        {change === "deleted"
          ? "It was deleted."
          : `${formatSize(size_bytes)}. Which lines of it changed was not recorded.`}
      </p>
    );
  const cut = diff_blob !== null && whole === undefined;
  return (
    <>
      <Diff
        diff={shown}
        label={`What changed in ${path}${edit === undefined ? "" : `, edit ${edit}`}`}
        {...(preview !== undefined && { preview })}
      />
      {error !== null && <Trouble error={error} />}
      {cut && (
        <Button
          look="ghost"
          size="sm"
          className="w-full rounded-none! border-t! border-t-line!"
          disabled={wanted && error === null}
          onClick={() => setWanted(true)}
        >
          {wanted && error === null ? "Loading…" : "This is its beginning: load the whole diff"}
        </Button>
      )}
    </>
  );
}
