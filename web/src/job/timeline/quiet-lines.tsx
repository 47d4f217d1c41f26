import { Link } from "@tanstack/react-router";
import {
  Archive,
  Ban,
  Box,
  Camera,
  CloudOff,
  Files,
  Flag,
  Gauge,
  Globe,
  Hand,
  HardDriveDownload,
  Minimize2,
  MonitorCog,
  Play,
  RotateCcw,
  ShieldCheck,
  Sparkles,
} from "lucide-react";
import type { Job, Phase } from "../../../../src/contract/job.ts";
import { formatCost, formatCount, formatDuration, formatSize } from "../../../../src/contract/units.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Card, QuietLine } from "./card.tsx";
import { ChangedFiles } from "./changed-files.tsx";
import { Moment } from "./moment.tsx";
import { Screens } from "./screens.tsx";
import type { ItemOf, NotedEvent } from "./timeline-items.ts";

const PHASES: Record<Phase, string> = {
  queued: "Queued",
  starting: "The sandbox starts",
  working: "The agent works",
  waiting: "It waits for a person",
  packing: "The work is packed",
  ended: "Ended",
};
const SERVICES = { desktop: "The desktop", jupyter: "Jupyter" };

/** An event that is one line. */
export function NoteLine({ item, job }: { item: ItemOf<"note">; job: Job }) {
  const { icon, tone, text } = noteOf(item.event);
  return (
    <QuietLine
      icon={icon}
      tone={tone ?? "quiet"}
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      {text}
    </QuietLine>
  );
}

type Note = { icon: React.ReactNode; tone?: "quiet" | "warn" | "bad" | "person"; text: React.ReactNode };

function noteOf({ type, data, job_id }: NotedEvent): Note {
  switch (type) {
    case "job.scheduled":
      return { icon: <Flag />, text: "Scheduled" };
    case "job.started":
      return { icon: <Play />, text: "The agent begins" };
    case "phase.changed":
      return { icon: <Box />, text: PHASES[data.phase] };
    case "cancel.requested":
      return { icon: <Ban />, tone: "warn", text: "Somebody cancelled the job" };
    case "sandbox.linked":
      return { icon: <RotateCcw />, text: "The sandbox is linked again" };
    case "sandbox.replaced":
      return {
        icon: <RotateCcw />,
        tone: "warn",
        text: `The sandbox was replaced: ${visibleLine(data.reason)}`,
      };
    case "service.started":
      return {
        icon: <MonitorCog />,
        text: `${SERVICES[data.service]} started in ${formatDuration(data.duration_ms)}`,
      };
    case "service.ended":
      return data.cause === "failed"
        ? {
            icon: <MonitorCog />,
            tone: "warn",
            text: `${SERVICES[data.service]} failed: ${visibleLine(data.message ?? "no reason is known")}`,
          }
        : { icon: <MonitorCog />, text: `${SERVICES[data.service]} ended` };
    case "port.opened":
      return {
        icon: <Globe />,
        text: (
          <>
            {data.process === null ? "Something" : visibleLine(data.process)} listens on port{" "}
            <Link
              to="/job/$id"
              params={{ id: job_id }}
              search={(old) => ({ ...old, tab: "ports" as const })}
              className="font-medium text-accent underline decoration-accent-line underline-offset-2"
            >
              {data.port}
            </Link>
          </>
        ),
      };
    case "port.closed":
      return { icon: <CloudOff />, text: `Nothing listens on port ${data.port} any more` };
    case "control.changed":
      return data.held_by === null
        ? { icon: <Hand />, text: "The desktop was given back to the agent" }
        : {
            icon: <Hand />,
            tone: "person",
            text: `${visibleLine(data.held_by)} drives the desktop; the agent's tool waits`,
          };
    case "conversation.compacted":
      return {
        icon: <Minimize2 />,
        text: `${data.turns} turns of the conversation became a summary: ${formatCount(data.tokens_before)} to ${formatCount(data.tokens_after)} tokens`,
      };
    case "egress.opened":
      return { icon: <ShieldCheck />, text: `${visibleLine(data.host)} is open for this job` };
    case "limit.reached":
      return { icon: <Gauge />, tone: "warn", text: visibleLine(data.message) };
    case "artifact.packed":
      return {
        icon: <Archive />,
        text: `ZIP of ${data.files} files, ${formatSize(data.size_bytes)}${data.left_out > 0 ? `; ${data.left_out} left out` : ""}`,
      };
  }
}

/** A run of model calls; those that failed are told apart. */
export function CallsLine({ item }: { item: ItemOf<"calls"> }) {
  const sum = (of: (data: (typeof item.calls)[number]["data"]) => number) =>
    item.calls.reduce((total, { data }) => total + of(data), 0);
  const cost = sum(({ cost_usd }) => cost_usd ?? 0);
  const failed = item.calls.filter(({ data }) => data.outcome !== "ok");
  const count = item.calls.length;
  const last = failed.at(-1)?.data;
  return (
    <QuietLine
      icon={<Sparkles />}
      tone={failed.length > 0 ? "warn" : "quiet"}
      meta={
        <>
          {formatCount(sum(({ input_tokens }) => input_tokens))} in,{" "}
          {formatCount(sum(({ output_tokens }) => output_tokens))} out
          {cost > 0 && `, ${formatCost(cost)}`}
        </>
      }
    >
      {count === 1 ? "1 model call" : `${count} model calls`}
      {last !== undefined &&
        `; ${failed.length === 1 ? "one" : failed.length} did not succeed (${last.outcome}${last.http_status === null ? "" : `, HTTP ${last.http_status}`})`}
    </QuietLine>
  );
}

export function ImageLine({ item }: { item: ItemOf<"image"> }) {
  return (
    <QuietLine icon={<HardDriveDownload />}>
      The image is made ready: <span className="font-mono">{visibleLine(item.last.data.line)}</span>
    </QuietLine>
  );
}

export function FilesCard({ item, job }: { item: ItemOf<"files">; job: Job }) {
  return (
    <Card
      icon={<Files />}
      title={<h3 className="font-medium">Files changed</h3>}
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      <ChangedFiles id={item.key} files={item.files} />
    </Card>
  );
}

export function ScreensCard({ item, job }: { item: ItemOf<"screens">; job: Job }) {
  return (
    <Card
      icon={<Camera />}
      title={<h3 className="font-medium">The desktop</h3>}
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      <Screens screens={item.screens} />
    </Card>
  );
}
