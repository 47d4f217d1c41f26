import clsx from "clsx";
import { Circle, CircleCheck, CircleDot, ListChecks } from "lucide-react";
import { visibleLine } from "../../text/visible-text.ts";
import type { EventOf } from "../events/job-events.ts";
import { Card, MoreButton } from "./card.tsx";
import { useRemembered } from "./remembered.tsx";
import type { ItemOf } from "./timeline-items.ts";

type PlanStep = EventOf<"plan.made">["data"]["steps"][number];

const STEPS_SHOWN = 12;
const ICONS = {
  done: <CircleCheck aria-hidden className="text-good" />,
  active: <CircleDot aria-hidden className="text-accent" />,
  pending: <Circle aria-hidden className="text-faint" />,
};
const WORDS = { done: "done", active: "in work", pending: "to do" };

/** What the agent means to do, and how far it is. */
export function PlanCard({ item }: { item: ItemOf<"plan"> }) {
  const { steps, files, checks } = item.plan.data;
  const [all, setAll] = useRemembered<boolean>(`${item.key} plan`);
  const done = steps.filter(({ state }) => state === "done").length;
  const active = Math.max(
    0,
    steps.findIndex(({ state }) => state === "active"),
  );
  const from = all === true ? 0 : Math.max(0, Math.min(active - 3, steps.length - STEPS_SHOWN));
  const shown = all === true ? steps : steps.slice(from, from + STEPS_SHOWN);
  return (
    <Card
      icon={<ListChecks />}
      tone="accent"
      title={<h3 className="font-medium">Plan</h3>}
      meta={
        <span>
          {done} of {steps.length}
        </span>
      }
    >
      <ol className="flex flex-col gap-1 text-sm">
        {shown.map((step, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a step of a plan is its place in it.
          <PlanRow key={from + index} step={step} />
        ))}
      </ol>
      {shown.length < steps.length && (
        <span>
          <MoreButton onClick={() => setAll(true)}>Show all {steps.length} steps</MoreButton>
        </span>
      )}
      {(files.length > 0 || checks.length > 0) && (
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-1 text-xs">
          {files.length > 0 && (
            <>
              <dt className="text-quiet">Leaves</dt>
              <dd className="untrusted font-mono">{files.map(visibleLine).join(", ")}</dd>
            </>
          )}
          {checks.length > 0 && (
            <>
              <dt className="text-quiet">Checks</dt>
              <dd className="flex flex-col">
                {checks.map(({ title, command }, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a check is its place in the plan.
                  <span key={index} className="untrusted" title={visibleLine(command)}>
                    {visibleLine(title)} <code className="text-quiet">{visibleLine(command)}</code>
                  </span>
                ))}
              </dd>
            </>
          )}
        </dl>
      )}
    </Card>
  );
}

function PlanRow({ step: { title, state } }: { step: PlanStep }) {
  return (
    <li className="flex items-start gap-2 [&_svg]:mt-0.5 [&_svg]:size-4 [&_svg]:shrink-0">
      {ICONS[state]}
      <span
        className={clsx("untrusted", state === "active" && "font-medium", state === "done" && "text-soft")}
      >
        <span className="sr-only">{WORDS[state]}: </span>
        {visibleLine(title)}
      </span>
    </li>
  );
}

/** The plan in one line, for when its card is out of sight. */
export function PlanBar({ plan, onOpen }: { plan: EventOf<"plan.made">; onOpen: () => void }) {
  const { steps } = plan.data;
  const done = steps.filter(({ state }) => state === "done").length;
  const now = steps.find(({ state }) => state === "active") ?? steps.find(({ state }) => state === "pending");
  return (
    <button
      type="button"
      onClick={onOpen}
      className="flex h-8 w-full shrink-0 items-center gap-2 border-b bg-panel px-3 text-left text-xs hover:bg-hover sm:px-4"
    >
      <ListChecks aria-hidden className="size-3.5 shrink-0 text-accent" />
      <span className="tabular shrink-0 font-medium">
        Plan {done}/{steps.length}
      </span>
      <span aria-hidden className="h-1 w-16 shrink-0 overflow-hidden rounded-full bg-sunken">
        <span
          className="block h-full bg-accent"
          style={{ width: `${steps.length === 0 ? 0 : (100 * done) / steps.length}%` }}
        />
      </span>
      <span className="untrusted truncate text-soft">
        {now === undefined ? "All done" : visibleLine(now.title)}
      </span>
    </button>
  );
}
