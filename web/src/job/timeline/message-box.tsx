import { useMutation } from "@tanstack/react-query";
import { ArrowUp, Hourglass } from "lucide-react";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatWholeSeconds } from "../../../../src/contract/units.ts";
import { cancelJob, sayToJob } from "../../api/jobs.ts";
import { useShortcut } from "../../app/shortcuts.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { useNow } from "../../ui/clock.ts";
import { useToasts } from "../../ui/toasts.tsx";
import { wordsOf } from "../../ui/trouble.tsx";
import { eventsOf, type StoryEvent } from "../events/job-events.ts";

/** Of a message, as the contract has it (MESSAGE_MAX_CHARS). */
const MESSAGE_MAX_CHARS = 32_000;

type Sent = { id: number; text: string; after_seq: number };

/** What people say to the agent while it works. */
export function MessageBox({ job, events }: { job: Job; events: readonly StoryEvent[] }) {
  const [text, setText] = useState("");
  const [sent, setSent] = useState<Sent[]>([]);
  const place = useRef<HTMLTextAreaElement>(null);
  const closed = whyClosed(job);
  useShortcut({ keys: "m", does: "Write to the agent" }, () => place.current?.focus(), closed === null);
  const { mutate, error, reset } = useMutation({
    mutationFn: ({ text }: Sent) => sayToJob(job.job_id, text),
    onError: (_, { id, text }) => {
      setSent((all) => all.filter((one) => one.id !== id));
      // What could not be said is not lost.
      setText((now) => (now === "" ? text : now));
    },
  });
  const send = () => {
    if (text.trim() === "" || closed !== null) return;
    const after_seq = events.at(-1)?.seq ?? 0;
    const one = { id: (sent.at(-1)?.id ?? 0) + 1, text, after_seq };
    setSent((all) => [...all, one]);
    setText("");
    mutate(one);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") place.current?.blur();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  const waits = useUnheard(sent, events);
  const shown = error === null ? closed : wordsOf(error).message;
  return (
    <div className="flex shrink-0 flex-col gap-1.5 border-t bg-panel px-3 py-2.5 sm:px-4">
      <Lingering job={job} events={events} />
      {waits.map(({ id, text }) => (
        <p key={id} className="truncate text-quiet text-xs">
          <span className="animate-pulse-soft">Sending:</span> {text}
        </p>
      ))}
      <form
        className="flex items-end gap-2 rounded-lg border border-line-strong bg-raised py-1 pr-1 pl-3 focus-within:border-accent"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          ref={place}
          aria-label="Message to the agent"
          value={text}
          rows={Math.min(8, text.split("\n").length)}
          maxLength={MESSAGE_MAX_CHARS}
          disabled={closed !== null}
          placeholder={closed ?? "Say something to the agent…"}
          onChange={(event) => {
            setText(event.target.value);
            reset();
          }}
          onKeyDown={onKeyDown}
          className="min-h-6 flex-1 resize-none self-center bg-transparent py-0.5 text-sm leading-5 outline-none placeholder:text-quiet disabled:opacity-70"
        />
        <IconButton
          label="Send"
          shortcut="enter"
          look="primary"
          size="sm"
          type="submit"
          disabled={closed !== null || text.trim() === ""}
        >
          <ArrowUp />
        </IconButton>
      </form>
      {error !== null && (
        <p role="alert" className="untrusted text-bad text-xs">
          {shown}
        </p>
      )}
    </div>
  );
}

/** Why the agent takes no message at the moment; null when it does. */
function whyClosed(job: Job): string | null {
  if (job.agent === "script") return "The script agent takes no messages.";
  if (job.phase === "queued" || job.phase === "starting") return "The agent has not begun yet.";
  if (job.phase === "packing" || job.phase === "ended") return "The agent's work is over.";
  return null;
}

/** What was sent and is not among the events yet. */
function useUnheard(sent: readonly Sent[], events: readonly StoryEvent[]): Sent[] {
  return useMemo(() => {
    const heard = sent.length === 0 ? [] : eventsOf(events, "message.said");
    const taken = new Set<number>();
    return sent.filter(({ text, after_seq }) => {
      const found = heard.find(
        ({ seq, data }) =>
          seq > after_seq && !taken.has(seq) && data.from === "person" && data.text.trim() === text.trim(),
      );
      if (found !== undefined) taken.add(found.seq);
      return found === undefined;
    });
  }, [sent, events]);
}

/** That the agent has answered and stays a while, with the way to end that. */
function Lingering({ job, events }: { job: Job; events: readonly StoryEvent[] }) {
  const { failed } = useToasts();
  const { mutate, isPending } = useMutation({ mutationFn: () => cancelJob(job.job_id), onError: failed });
  const lingers = job.phase === "waiting" && job.approvals.length === 0;
  const last = lingers ? events.findLast(({ type }) => type === "agent.waiting") : undefined;
  const now = useNow(lingers);
  if (last?.type !== "agent.waiting") return null;
  const left_s = Math.max(0, (Date.parse(last.at) + last.data.linger_s * 1000 - now) / 1000);
  return (
    <div className="flex items-center gap-2 text-person text-xs">
      <Hourglass aria-hidden className="size-3.5 shrink-0" />
      <p className="tabular min-w-0 flex-1">
        {job.agent === "script" ? "It stays open for you" : "The agent waits for you"};{" "}
        {left_s > 0
          ? `ends in ${formatWholeSeconds(left_s)}`
          : "it ends when nobody is at work in it any more"}
      </p>
      <Button size="sm" disabled={isPending} onClick={() => mutate()}>
        End it now
      </Button>
    </div>
  );
}
