import clsx from "clsx";
import { Camera, Expand, LoaderCircle, Maximize2, Minimize2, MonitorX, Shrink } from "lucide-react";
import { type ReactNode, useEffect, useEffectEvent, useRef, useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { useToasts } from "../../ui/toasts.tsx";
import { DesktopClipboard } from "./desktop-clipboard.tsx";
import { DesktopControl } from "./desktop-control.tsx";
import { DRIVER_LOOKS, type Driver, driverOf } from "./desktop-driver.ts";
import { DesktopKeys } from "./desktop-keys.tsx";
import { DesktopPeople } from "./desktop-people.tsx";
import { useDesktopView } from "./desktop-view.ts";
import { NotInImage } from "./not-open.tsx";
import { useDesktopLine } from "./use-desktop-line.ts";
import { useFullScreen } from "./use-full-screen.ts";

/** One who drove and comes back this soon goes on driving. Later the agent may be in the middle of something. */
const RESUME_MS = 60_000;
const HINT_MS = 5_000;

/** The desktop of a job at work: looked at by anybody, driven by one. */
export function DesktopLive({ job }: { job: Job }) {
  const { failed } = useToasts();
  const stage = useRef<HTMLDivElement>(null);
  const { view, renew, control, shareClipboard } = useDesktopView(job.job_id);
  const { line, picture, copied, setCopied, me, rename, retry } = useDesktopLine(job.job_id, stage);
  const [fits, setFits] = useState(true);
  const [hint, setHint] = useHint();
  const { full, setFull } = useFullScreen();
  const drove_at = useRef<number | null>(null);
  const driver = driverOf(view, me.viewer);
  const drives = driver.who === "you";
  const rfb = line.kind === "on" ? line.rfb : null;
  const order = (wanted: { take: boolean; force: boolean }): void => {
    if (!wanted.take) drove_at.current = null;
    void control({ viewer: me.viewer, ...wanted }).catch(failed);
  };

  useEffect(() => {
    if (rfb === null) return;
    rfb.scaleViewport = fits;
    // In this order: one who only looks asks for no size. The desktop takes that of what one who drives sees of it.
    rfb.viewOnly = !drives;
    rfb.resizeSession = fits && drives;
    if (drives) rfb.focus();
  }, [rfb, fits, drives]);

  const connected = useEffectEvent(() => {
    renew();
    if (drove_at.current === null || performance.now() - drove_at.current > RESUME_MS) return;
    control({ viewer: me.viewer, take: true, force: false }).catch(() => {
      // Somebody else drives by now, which the bar says.
      drove_at.current = null;
    });
  });
  useEffect(() => {
    if (rfb !== null) connected();
  }, [rfb]);

  useEffect(() => {
    if (drives) drove_at.current = performance.now();
    else if (driver.who === "other" && drove_at.current !== null) {
      drove_at.current = null;
      setHint(`${driver.name} took control.`);
    }
  });

  if (line.kind === "over" && line.why === "no_desktop")
    return (
      <NotInImage job={job} icon={<MonitorX />} title="This image has no desktop">
        The template <code>desktop</code> has one, with a browser and Jupyter Lab. Clone the job and choose
        that template to watch the agent at a screen.
      </NotInImage>
    );
  const watching = (): void => {
    if (rfb !== null && !drives) setHint("You are watching. Take control to click and type.");
  };
  return (
    <section
      aria-label="Desktop of the job"
      className={clsx("flex min-h-0 flex-1 flex-col bg-panel", full && "fixed inset-0 z-30")}
    >
      <div className="@container shrink-0 border-b">
        <div className="flex min-h-11 flex-wrap items-center gap-1 @max-md:py-2 px-3">
          <Standing driver={driver} line={line.kind} />
          <DesktopPeople me={me} viewers={view.viewers} onRenamed={rename} />
          <DesktopClipboard
            text={copied}
            onText={setCopied}
            shared={view.clipboard}
            onShared={(shared) => void shareClipboard(shared).catch(failed)}
            drives={drives && rfb !== null}
            send={(text) => rfb?.clipboardPasteFrom(text)}
          />
          <DesktopKeys
            disabled={!drives || rfb === null}
            press={(keysym, code, down) => rfb?.sendKey(keysym, code, down)}
          />
          <IconButton
            size="sm"
            label={fits ? "Show it in its own size" : "Fit it into this panel"}
            onClick={() => setFits(!fits)}
          >
            {fits ? <Expand /> : <Shrink />}
          </IconButton>
          <IconButton size="sm" label="Save a picture of the screen" asChild>
            <a href={`/jobs/${job.job_id}/screen.png`} download={`screen-${job.job_id.slice(0, 8)}.png`}>
              <Camera />
            </a>
          </IconButton>
          <IconButton
            size="sm"
            label={full ? "Leave the full screen" : "Full screen"}
            onClick={() => setFull(!full)}
          >
            {full ? <Minimize2 /> : <Maximize2 />}
          </IconButton>
          <span className="w-1 @max-md:flex-1" />
          <DesktopControl driver={driver} disabled={rfb === null} control={order} />
        </div>
      </div>
      <div
        className={clsx(
          "relative flex min-h-0 flex-1 border-2 bg-screen transition-colors",
          rfb === null ? "border-transparent" : DRIVER_LOOKS[driver.who].frame,
        )}
      >
        {picture !== null && rfb === null && (
          <img
            src={picture}
            alt="What the desktop showed last"
            className="absolute inset-0 size-full object-contain opacity-50"
          />
        )}
        {/* What is pressed in it belongs to the desktop; the canvas inside takes the focus. */}
        <div
          ref={stage}
          data-keys="own"
          className="min-h-0 min-w-0 flex-1"
          onMouseDownCapture={watching}
          onTouchStartCapture={watching}
          onKeyDownCapture={({ key }) => key.length === 1 && watching()}
        />
        {rfb === null && <Notice line={line} retry={retry} />}
        {hint !== null && (
          <p
            role="status"
            className="-translate-x-1/2 absolute bottom-4 left-1/2 rounded-full border border-line-strong bg-raised px-4 py-1.5 text-sm shadow-pop"
          >
            {hint}
          </p>
        )}
      </div>
    </section>
  );
}

/** Who drives, and what that means for whoever looks here. */
function Standing({
  driver,
  line,
}: {
  driver: Driver;
  line: ReturnType<typeof useDesktopLine>["line"]["kind"];
}) {
  const [text, more] = wordsOf(driver, line);
  const { text: colour, dot } = DRIVER_LOOKS[driver.who];
  const on = line === "on";
  return (
    <p
      role="status"
      className="mr-auto flex min-w-0 items-center gap-2 @max-md:basis-full @max-md:pb-1 text-sm"
    >
      <span aria-hidden className={clsx("size-2 shrink-0 rounded-full", on ? dot : "bg-faint")} />
      <span className={clsx("truncate font-medium", on ? colour : "text-quiet")}>{text}</span>
      {more !== null && <span className="@max-3xl:hidden truncate text-quiet text-xs">{more}</span>}
    </p>
  );
}

function wordsOf(driver: Driver, line: string): [text: string, more: string | null] {
  if (line === "over") return ["Closed", null];
  if (line === "lost") return ["Coming back", null];
  if (line === "connecting") return ["Connecting", null];
  if (driver.who === "you") return ["You drive", "the agent waits until you give the desktop back"];
  if (driver.who === "agent") return ["The agent drives", "you are watching"];
  return [`${driver.name} drives`, "you are watching"];
}

function Notice({ line, retry }: { line: ReturnType<typeof useDesktopLine>["line"]; retry: () => void }) {
  const over = line.kind === "over";
  let title = "Connecting to the desktop";
  let text: ReactNode = "It starts with the first one who looks.";
  if (line.kind === "lost") [title, text] = ["Connection lost", "The desktop goes on. Coming back to it…"];
  if (line.kind === "over") [title, text] = ["The desktop closed this connection", line.text];
  return (
    <div className="absolute inset-0 flex items-center justify-center p-4">
      <div className="max-h-full overflow-auto rounded-lg border border-line-strong bg-panel shadow-pop">
        <Empty
          icon={over ? <MonitorX /> : <LoaderCircle className="animate-spin" />}
          title={title}
          actions={over && <Button onClick={retry}>Try again</Button>}
        >
          <span className="untrusted">{text}</span>
        </Empty>
      </div>
    </div>
  );
}

function useHint(): [string | null, (hint: string) => void] {
  const [hint, setHint] = useState<{ text: string } | null>(null);
  useEffect(() => {
    if (hint === null) return;
    const timer = setTimeout(() => setHint(null), HINT_MS);
    return () => clearTimeout(timer);
  }, [hint]);
  return [hint?.text ?? null, (text) => setHint({ text })];
}
