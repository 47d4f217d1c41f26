import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { Command } from "cmdk";
import {
  Box,
  Cpu,
  Keyboard,
  KeyRound,
  ListTree,
  Monitor,
  Moon,
  Plus,
  RotateCcw,
  Search,
  Sparkles,
  Sun,
} from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { type ReactNode, useDeferredValue, useState } from "react";
import { isListed } from "../api/job-lists.ts";
import { fetchJobs, retryJob } from "../api/jobs.ts";
import { FocusGivenBack } from "../ui/focus-given-back.tsx";
import { Keys } from "../ui/keys.tsx";
import { promptTitle } from "../ui/one-line.ts";
import { JobStatus } from "../ui/status.tsx";
import { useToasts } from "../ui/toasts.tsx";
import { setTheme } from "./theme.ts";

const JOBS_SHOWN = 6;
/** Pages and commands that are there before anything is typed. */
const ENTRIES_OFFERED = 5;
const TEXT_MAX_CHARS = 200;

const foundJobs = (text: string) =>
  queryOptions({
    queryKey: ["found-jobs", text],
    queryFn: ({ signal }) => fetchJobs(text === "" ? {} : { text }, { limit: JOBS_SHOWN, signal }),
    placeholderData: keepPreviousData,
    // Each time that it opens it asks anew: nothing keeps this list true.
    gcTime: 0,
  });

type Entry = { id: string; text: string; icon: ReactNode; keys?: string; act: () => void };

/** Everything by name: pages, jobs, and what can be done. */
export function CommandPalette({ onClose, onShortcuts }: { onClose: () => void; onShortcuts: () => void }) {
  const [typed, setTyped] = useState("");
  const text = typed.trim().slice(0, TEXT_MAX_CHARS);
  const { data } = useQuery(foundJobs(useDeferredValue(text)));
  // Whoever types fast and presses Enter never gets what was found for less.
  const jobs = data?.jobs.filter((job) => isListed(job, text === "" ? {} : { text })) ?? [];
  const navigate = useNavigate();
  const go = (act: () => void) => () => {
    onClose();
    act();
  };
  const pages = usePages(onShortcuts);
  const found =
    text === ""
      ? pages.slice(0, ENTRIES_OFFERED)
      : pages.filter((entry) => entry.text.toLowerCase().includes(text.toLowerCase()));
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/40" />
        <Radix.Content
          aria-describedby={undefined}
          className="-translate-x-1/2 fixed top-[14vh] left-1/2 z-40 w-[calc(100vw-2rem)] max-w-xl overflow-hidden rounded-lg border border-line-strong bg-panel shadow-pop"
        >
          <FocusGivenBack />
          <Radix.Title className="sr-only">Commands</Radix.Title>
          <Command label="Commands" shouldFilter={false} loop>
            <div className="flex items-center gap-2.5 border-b px-4">
              <Search aria-hidden className="size-4 text-quiet" />
              <Command.Input
                value={typed}
                onValueChange={setTyped}
                placeholder="Find a job, a page or a command"
                className="h-12 flex-1 bg-transparent text-base outline-none placeholder:text-quiet"
              />
              <Keys keys="escape" />
            </div>
            <Command.List className="max-h-[52vh] overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-8 text-center text-quiet text-sm">
                Nothing is called that.
              </Command.Empty>
              {found.length > 0 && (
                <Group heading="Go and do">
                  {found.map(({ id, text: name, icon, keys, act }) => (
                    <Item key={id} value={id} onSelect={go(act)}>
                      <span aria-hidden className="text-quiet [&_svg]:size-4">
                        {icon}
                      </span>
                      <span className="flex-1">{name}</span>
                      {keys !== undefined && <Keys keys={keys} />}
                    </Item>
                  ))}
                </Group>
              )}
              {jobs.length > 0 && (
                <Group heading={text === "" ? "Newest jobs" : "Jobs"}>
                  {jobs.map((job) => (
                    <Item
                      key={job.job_id}
                      value={job.job_id}
                      onSelect={go(() => void navigate({ to: "/job/$id", params: { id: job.job_id } }))}
                    >
                      <span className="untrusted min-w-0 flex-1 truncate" dir="auto">
                        {promptTitle(job.prompt)}
                      </span>
                      <JobStatus job={job} className="text-xs" />
                    </Item>
                  ))}
                </Group>
              )}
            </Command.List>
          </Command>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function usePages(onShortcuts: () => void): Entry[] {
  const navigate = useNavigate();
  const { id } = useParams({ strict: false });
  const { done, failed } = useToasts();
  const job: Entry[] =
    id === undefined
      ? []
      : [
          {
            id: "clone",
            text: "Clone this job into a new one",
            icon: <Plus />,
            act: () => void navigate({ to: "/new", search: { from: id } }),
          },
          {
            id: "retry",
            text: "Retry this job as it was",
            icon: <RotateCcw />,
            act: () =>
              void retryJob(id).then(({ job_id }) => {
                done("Scheduled again.");
                return navigate({ to: "/job/$id", params: { id: job_id } });
              }, failed),
          },
        ];
  return [
    ...job,
    { id: "new", text: "New job", icon: <Plus />, keys: "c", act: () => void navigate({ to: "/new" }) },
    { id: "jobs", text: "Jobs", icon: <ListTree />, keys: "g j", act: () => void navigate({ to: "/" }) },
    {
      id: "running",
      text: "Jobs that are running",
      icon: <ListTree />,
      act: () => void navigate({ to: "/", search: { status: "running" } }),
    },
    {
      id: "failed",
      text: "Jobs that failed",
      icon: <ListTree />,
      act: () => void navigate({ to: "/", search: { status: "error" } }),
    },
    {
      id: "tokens",
      text: "Settings: sign-in tokens",
      icon: <KeyRound />,
      keys: "g s",
      act: () => void navigate({ to: "/settings/tokens" }),
    },
    {
      id: "templates",
      text: "Settings: templates",
      icon: <Box />,
      act: () => void navigate({ to: "/settings/templates" }),
    },
    {
      id: "models",
      text: "Settings: models",
      icon: <Sparkles />,
      act: () => void navigate({ to: "/settings/models" }),
    },
    {
      id: "engine",
      text: "Settings: engine health",
      icon: <Cpu />,
      act: () => void navigate({ to: "/settings/engine" }),
    },
    { id: "light", text: "Theme: light", icon: <Sun />, act: () => setTheme("light") },
    { id: "dark", text: "Theme: dark", icon: <Moon />, act: () => setTheme("dark") },
    { id: "system", text: "Theme: as the system", icon: <Monitor />, act: () => setTheme("system") },
    { id: "shortcuts", text: "Keyboard shortcuts", icon: <Keyboard />, keys: "?", act: onShortcuts },
  ];
}

function Group({ heading, children }: { heading: string; children: ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-2xs [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-quiet"
    >
      {children}
    </Command.Group>
  );
}

function Item({ value, onSelect, children }: { value: string; onSelect: () => void; children: ReactNode }) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex h-9 cursor-default items-center gap-2.5 rounded-md px-2.5 text-sm data-[selected=true]:bg-hover"
    >
      {children}
    </Command.Item>
  );
}
