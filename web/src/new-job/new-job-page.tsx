import { useSuspenseQueries } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { Eraser } from "lucide-react";
import { Suspense, useEffect, useRef, useState } from "react";
import { agentsQuery, providersQuery, templatesQuery } from "../api/server.ts";
import { useShortcut } from "../app/shortcuts.ts";
import { Button } from "../ui/button.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { BoundsPanel } from "./bounds-panel.tsx";
import { ChoicesPanel } from "./choices-panel.tsx";
import { draftOf } from "./clone.ts";
import { CommandPanel } from "./command-panel.tsx";
import { type Draft, EMPTY_DRAFT, isEmpty, type Quantity } from "./draft.ts";
import { DropFiles } from "./drop-files.tsx";
import type { Form } from "./form.ts";
import { withFiles } from "./inputs.ts";
import { faultAt, QUANTITIES } from "./job-request.ts";
import { ModelNotice } from "./model-notice.tsx";
import { ScheduleBar } from "./schedule-bar.tsx";
import { StartNotices } from "./start-notices.tsx";
import { TaskCard } from "./task-card.tsx";
import { drafts, useKept } from "./use-draft.ts";
import { useSchedule } from "./use-schedule.ts";
import { useStart } from "./use-start.ts";

export function NewJobPage() {
  return (
    <Suspense fallback={<Loading />}>
      <NewJob />
    </Suspense>
  );
}

function NewJob() {
  const [{ data: agents }, { data: templates }, { data: models }] = useSuspenseQueries({
    queries: [agentsQuery, templatesQuery, providersQuery],
  });
  const { draft, inputs, lost } = useKept();
  const { faults, trouble, sending, progress, schedule, cancel, changed } = useSchedule();
  const start = useStart(useSearch({ from: "/shell/new" }));
  const [open, setOpen] = useState(false);
  const page = useRef<HTMLDivElement>(null);
  useShortcut({ keys: "mod+enter", does: "Schedule the job" }, schedule);
  useEffect(() => {
    if (faults.size === 0) return;
    if ([...faults.keys()].some((name) => !SEEN.has(name))) setOpen(true);
    // What is folded away has its place only after it was drawn.
    requestAnimationFrame(() => page.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }, [faults]);
  const change = (fields: Partial<Draft>): void => {
    drafts.change(fields);
    changed(Object.keys(fields).map(locOf));
  };
  const form: Form = { draft, faults, change, agents: agents.agents, templates: templates.templates, models };
  const addBlock = () =>
    change({ prompt: `${draft.prompt.trimEnd()}${draft.prompt.trim() === "" ? "" : "\n\n"}${BLOCK}` });
  return (
    <DropFiles onFiles={(files) => drafts.choose(withFiles(inputs, files))}>
      <div ref={page} className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto flex w-full max-w-6xl flex-col gap-4 px-4 py-5 sm:px-6">
          <div className="flex min-h-8 items-center gap-3">
            <h1 className="font-semibold text-xl tracking-tight">New job</h1>
            {!isEmpty(draft) && (
              <Button look="ghost" size="sm" onClick={() => start.begin(EMPTY_DRAFT)}>
                <Eraser aria-hidden />
                Start over
              </Button>
            )}
          </div>
          <StartNotices start={start} lost={lost} onLost={() => drafts.choose(inputs)} />
          {trouble !== null && <Trouble error={trouble} />}
          <div className="grid min-w-0 items-start gap-4 lg:grid-cols-[minmax(0,1fr)_21rem] lg:grid-rows-[auto_1fr]">
            <div className="flex min-w-0 flex-col gap-4">
              <TaskCard
                prompt={draft.prompt}
                onChange={(prompt) => change({ prompt })}
                fault={faultAt(faults, "prompt")}
                inputs={inputs}
                onInputs={(chosen) => drafts.choose(chosen)}
                onExample={(example) => start.begin(draftOf(example.request))}
              />
              <ModelNotice form={form} onBlock={addBlock} />
            </div>
            <section aria-label="Choices" className="rounded-lg border bg-panel lg:row-span-2">
              <div className="p-4">
                <ChoicesPanel form={form} />
              </div>
              <BoundsPanel form={form} open={open} onOpenChange={setOpen} />
            </section>
            <CommandPanel draft={draft} inputs={inputs} />
          </div>
        </div>
      </div>
      <ScheduleBar
        form={form}
        sending={sending}
        progress={progress}
        onSchedule={schedule}
        onCancel={cancel}
      />
    </DropFiles>
  );
}

const BLOCK = '```sh\necho "hello"\n```\n';

/** Fields that are not folded away. */
const SEEN = new Set(["", "prompt", "agent", "model", "template"]);

const LOCS: Partial<Record<keyof Draft, string>> = {
  egress: "egress",
  hosts: "egress.hosts",
  approval: "approval.policy",
};

/** The field of the request that one of the draft becomes. */
function locOf(name: string): string {
  return QUANTITIES[name as Quantity]?.loc ?? LOCS[name as keyof Draft] ?? name;
}

function Loading() {
  return (
    <div
      role="status"
      aria-label="Loading"
      className="mx-auto flex w-full max-w-6xl flex-col gap-4 px-6 py-5"
    >
      <Skeleton className="h-7 w-32" />
      <Skeleton className="h-80" />
    </div>
  );
}
