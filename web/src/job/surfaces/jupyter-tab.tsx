import { useQuery } from "@tanstack/react-query";
import { BookOpen, ExternalLink, FlaskConical, LoaderCircle, NotebookText, RotateCw } from "lucide-react";
import { useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import type { FileList } from "../../../../src/contract/link-answers.ts";
import { ApiError, requestJson } from "../../api/request.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { NotInImage, NotYet } from "./not-open.tsx";
import { PreviewFrame } from "./preview-frame.tsx";
import { sandboxState } from "./sandbox-state.ts";
import { useOpened } from "./use-opened.ts";

const NOTEBOOK_FOLDER = ".sealwork";
const NOTEBOOK = "session.ipynb";
const LAB = "/lab";
const NOTEBOOK_PAGE = `/lab/tree/${NOTEBOOK_FOLDER}/${NOTEBOOK}`;

export function JupyterTab({ job }: { job: Job }) {
  const state = sandboxState(job);
  if (state === "before") return <NotYet job={job} what="Jupyter Lab" />;
  if (state === "over")
    return (
      <Empty icon={<NotebookText />} title="The sandbox is gone, and Jupyter Lab with it">
        Notebooks that the job left are under Files, with their outputs.
      </Empty>
    );
  return <NotebookFirst job={job} />;
}

/** The notebook that is the agent's Python, when it has one, is what people come for. */
function NotebookFirst({ job }: { job: Job }) {
  const { data: has_notebook, isError } = useQuery({
    queryKey: ["session notebook", job.job_id],
    queryFn: async ({ signal }) => {
      const has = async (folder: string, path: string): Promise<boolean> => {
        const list = `/jobs/${job.job_id}/files?${new URLSearchParams({ path: folder })}`;
        const { entries } = await requestJson<FileList>(list, { signal });
        return entries.some((entry) => entry.path === path);
      };
      return (await has("", NOTEBOOK_FOLDER)) && has(NOTEBOOK_FOLDER, `${NOTEBOOK_FOLDER}/${NOTEBOOK}`);
    },
    gcTime: 0,
  });
  if (has_notebook === undefined && !isError) return <Starting />;
  return <Lab job={job} has_notebook={has_notebook === true} />;
}

function Lab({ job, has_notebook }: { job: Job; has_notebook: boolean }) {
  const [path, setPath] = useState(has_notebook ? NOTEBOOK_PAGE : LAB);
  const { url, load, error, reload, openTab } = useOpened(`/jobs/${job.job_id}/jupyter/open`, path);
  if (error instanceof ApiError && error.code === "conflict")
    return (
      <NotInImage job={job} icon={<FlaskConical />} title="This image has no Jupyter Lab">
        The template <code>desktop</code> has it, beside a desktop with a browser. Clone the job and choose
        that template.
      </NotInImage>
    );
  return (
    <section aria-label="Jupyter Lab" className="flex min-h-0 flex-1 flex-col bg-panel">
      <div className="@container flex h-11 shrink-0 items-center gap-1 border-b px-3">
        <p className="mr-auto min-w-0 truncate text-quiet text-xs">
          {path === NOTEBOOK_PAGE
            ? "The agent's notebook: you see its variables, and it sees yours"
            : "Jupyter Lab in the sandbox"}
        </p>
        {has_notebook && (
          <Button
            size="sm"
            look="ghost"
            onClick={() => setPath(path === NOTEBOOK_PAGE ? LAB : NOTEBOOK_PAGE)}
          >
            <BookOpen />
            {path === NOTEBOOK_PAGE ? "All notebooks" : "The agent's notebook"}
          </Button>
        )}
        <IconButton size="sm" label="Load it again" onClick={reload}>
          <RotateCw />
        </IconButton>
        <Button size="sm" onClick={openTab}>
          <ExternalLink />
          Open in a tab
        </Button>
      </div>
      {error !== null ? (
        <div className="p-4">
          <Trouble
            error={error}
            action={
              <Button size="sm" onClick={reload}>
                Try again
              </Button>
            }
          />
        </div>
      ) : url === null ? (
        <Starting />
      ) : (
        <PreviewFrame key={`${path} ${load}`} url={url} title="Jupyter Lab of the job" />
      )}
    </section>
  );
}

function Starting() {
  return (
    <div role="status" className="flex flex-1 flex-col">
      <Empty icon={<LoaderCircle className="animate-spin" />} title="Jupyter Lab starts">
        It takes about two seconds, and stops by itself when nobody uses it any more.
      </Empty>
    </div>
  );
}
