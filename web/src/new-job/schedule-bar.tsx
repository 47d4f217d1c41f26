import { LoaderCircle, Play } from "lucide-react";
import { formatSize } from "../../../src/contract/units.ts";
import { Button } from "../ui/button.tsx";
import { Keys } from "../ui/keys.tsx";
import { agentOf, type Form, templateOf } from "./form.ts";

export type Progress = { sent_bytes: number; all_bytes: number } | null;

/** The foot of the page: what will happen in one line, and the button that makes it so. */
export function ScheduleBar({
  form,
  sending,
  progress,
  onSchedule,
  onCancel,
}: {
  form: Form;
  sending: boolean;
  progress: Progress;
  onSchedule: () => void;
  onCancel: () => void;
}) {
  return (
    <footer className="relative shrink-0 border-t bg-panel">
      {progress !== null && <UploadLine progress={progress} />}
      <div className="mx-auto flex w-full max-w-6xl items-center gap-3 px-4 py-2.5 sm:px-6">
        <p role="status" className="min-w-0 flex-1 truncate text-quiet text-sm">
          {sending ? <SendingWords progress={progress} /> : <Plan form={form} />}
        </p>
        {sending && progress !== null && <Button onClick={onCancel}>Cancel</Button>}
        <Button look="primary" disabled={sending} onClick={onSchedule}>
          {sending ? <LoaderCircle aria-hidden className="animate-spin" /> : <Play aria-hidden />}
          Schedule
          <span className="-mr-1 hidden sm:inline [&_kbd]:border-current/30 [&_kbd]:bg-transparent [&_kbd]:text-current">
            <Keys keys="mod+enter" />
          </span>
        </Button>
      </div>
    </footer>
  );
}

function Plan({ form }: { form: Form }) {
  const template = templateOf(form);
  const agent = agentOf(form);
  const model = agent === "script" ? "" : form.draft.model || form.models.default_model || "";
  return (
    <>
      <span className="text-ink">{agent}</span>
      {model !== "" && <> with {model}</>}
      {template !== undefined && <> in the template {template.name}</>}
    </>
  );
}

function SendingWords({ progress }: { progress: Progress }) {
  if (progress === null) return "Scheduling…";
  const { sent_bytes, all_bytes } = progress;
  if (sent_bytes >= all_bytes) return "Sent; the server looks through the files…";
  return `Sending ${formatSize(sent_bytes)} of ${formatSize(all_bytes)}`;
}

function UploadLine({ progress: { sent_bytes, all_bytes } }: { progress: NonNullable<Progress> }) {
  const percent = all_bytes === 0 ? 100 : Math.round((100 * sent_bytes) / all_bytes);
  return (
    <div
      role="progressbar"
      aria-label="Upload"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      className="-top-px absolute inset-x-0 h-0.5 bg-line"
    >
      <div className="h-full bg-accent transition-[width]" style={{ width: `${percent}%` }} />
    </div>
  );
}
