import { useQuery } from "@tanstack/react-query";
import clsx from "clsx";
import { Accessibility, Plus, SquareTerminal, X } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import type { TerminalList } from "../../../../src/contract/surfaces.ts";
import { request, requestJson } from "../../api/request.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { useToasts } from "../../ui/toasts.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { LinkQuestion } from "./link-question.tsx";
import { TerminalView } from "./terminal-view.tsx";

/** A terminal of this page; without an id as long as it is being opened, and when it is over. */
type Held = { key: number; number: number; id: string | null };

const READER_KEY = "sealwork.screen-reader";

/** The terminals that live in the sandbox, each a tab; the first one opens by itself. */
export function Terminals({ job }: { job: Job }) {
  const { data, error } = useQuery({
    queryKey: ["terminals", job.job_id],
    queryFn: ({ signal }) => requestJson<TerminalList>(`/jobs/${job.job_id}/terminals`, { signal }),
    // Asked for once, when the tab is opened: from then on it knows its own.
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (error !== null && data === undefined)
    return (
      <div className="p-4">
        <Trouble error={error} />
      </div>
    );
  if (data === undefined) return <Skeleton className="m-4 flex-1" />;
  return <OpenTerminals job_id={job.job_id} living={data.terminals.map(({ id }) => id)} />;
}

function OpenTerminals({ job_id, living }: { job_id: string; living: string[] }) {
  const [held, setHeld] = useState<Held[]>(() =>
    (living.length === 0 ? [null] : living).map((id, at) => ({ key: at, number: at + 1, id })),
  );
  const [current, setCurrent] = useState(() => held[0]?.key ?? 0);
  const [seen, setSeen] = useState<ReadonlySet<number>>(() => new Set([current]));
  const [link, setLink] = useState<string | null>(null);
  const [reads, setReads] = useState(() => localStorage.getItem(READER_KEY) === "on");
  const { failed } = useToasts();
  const tabs = useRef<HTMLDivElement>(null);
  const names = useId();

  const choose = (key: number): void => {
    setCurrent(key);
    setSeen((old) => new Set(old).add(key));
  };
  const open = (): void => {
    const key = Math.max(-1, ...held.map((one) => one.key)) + 1;
    const number = Math.max(0, ...held.map((one) => one.number)) + 1;
    setHeld([...held, { key, number, id: null }]);
    choose(key);
  };
  const identify = ({ key }: Held, id: string | null): void =>
    setHeld((old) => old.map((each) => (each.key === key ? { ...each, id } : each)));
  const close = ({ key, id }: Held): void => {
    const at = held.findIndex((one) => one.key === key);
    const rest = held.filter((one) => one.key !== key);
    setHeld(rest);
    const next = rest[Math.min(at, rest.length - 1)];
    if (key === current && next !== undefined) choose(next.key);
    if (id === null) return;
    request(`/jobs/${job_id}/terminals/${id}`, { method: "DELETE" }).catch(failed);
  };
  useEffect(() => localStorage.setItem(READER_KEY, reads ? "on" : "off"), [reads]);
  const move = (step: number): void => {
    const at = held.findIndex((one) => one.key === current);
    const next = held[(at + step + held.length) % held.length];
    if (next === undefined) return;
    choose(next.key);
  };

  const shown = held.find(({ key }) => key === current);
  return (
    <div className="flex min-h-0 flex-1 flex-col" data-keys="own">
      <div className="flex h-10 shrink-0 items-center gap-1 border-b bg-panel px-2">
        <div
          ref={tabs}
          role="tablist"
          aria-label="Terminals"
          className="flex min-w-0 items-center gap-1 overflow-x-auto [scrollbar-width:none]"
        >
          {held.map((one) => {
            const chosen = one.key === current;
            return (
              <button
                key={one.key}
                type="button"
                role="tab"
                id={`${names}-${one.key}`}
                aria-selected={chosen}
                tabIndex={chosen ? 0 : -1}
                onClick={() => choose(one.key)}
                onKeyDown={({ key }) => {
                  if (key === "ArrowRight") move(1);
                  if (key === "ArrowLeft") move(-1);
                  if (key === "Delete") close(one);
                }}
                className={clsx(
                  "flex h-7 shrink-0 items-center gap-1.5 rounded-md border px-2 text-sm [&_svg]:size-3.5",
                  chosen
                    ? "border-line-strong bg-hover text-ink"
                    : "border-transparent text-quiet hover:text-ink",
                )}
              >
                <SquareTerminal aria-hidden />
                Shell {one.number}
              </button>
            );
          })}
        </div>
        <IconButton label="New terminal" size="sm" onClick={open}>
          <Plus />
        </IconButton>
        {shown !== undefined && (
          <IconButton label={`End shell ${shown.number}`} size="sm" onClick={() => close(shown)}>
            <X />
          </IconButton>
        )}
        <span className="ml-auto hidden min-w-0 truncate text-quiet text-xs xl:block">
          Ctrl Shift ↑ leaves the terminal
        </span>
        <IconButton
          label={reads ? "Screen reader support is on" : "Screen reader support is off"}
          aria-pressed={reads}
          size="sm"
          className={clsx("max-xl:ml-auto", reads && "text-accent!")}
          onClick={() => setReads(!reads)}
        >
          <Accessibility />
        </IconButton>
      </div>
      {held.length === 0 && (
        <Empty
          icon={<SquareTerminal />}
          title="No terminal is open"
          actions={<Button onClick={open}>New terminal</Button>}
        >
          A terminal is a login shell in the job's workspace, beside the agent.
        </Empty>
      )}
      {held
        .filter(({ key }) => seen.has(key))
        .map((one) => (
          <TerminalView
            key={one.key}
            job_id={job_id}
            terminal={one.id}
            shown={one.key === current}
            screen_reader={reads}
            label={`Shell ${one.number}`}
            onOpened={(id) => identify(one, id)}
            onOver={() => identify(one, null)}
            onLink={setLink}
            onLeave={() => document.getElementById(`${names}-${one.key}`)?.focus()}
            onNew={open}
          />
        ))}
      <LinkQuestion address={link} onDone={() => setLink(null)} />
    </div>
  );
}
