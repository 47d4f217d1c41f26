import type { EventType } from "../../../../src/contract/event.ts";
import type { EventOf, StoryEvent } from "../events/job-events.ts";

/** Events that are one quiet line each. */
const NOTED = [
  "job.scheduled",
  "job.started",
  "phase.changed",
  "cancel.requested",
  "sandbox.linked",
  "sandbox.replaced",
  "service.started",
  "service.ended",
  "port.opened",
  "port.closed",
  "control.changed",
  "conversation.compacted",
  "egress.opened",
  "limit.reached",
  "artifact.packed",
] as const satisfies EventType[];
export type NotedEvent = EventOf<(typeof NOTED)[number]>;

/** What the timeline shows, in order. An item that changes becomes another object; `key` stays. */
export type TimelineItem = { key: string; at: string } & (
  | {
      kind: "step";
      started: EventOf<"step.started">;
      ended: EventOf<"step.ended"> | null;
      displayed: readonly EventOf<"step.displayed">[];
      files: readonly EventOf<"file.changed">[];
      screens: readonly EventOf<"screen.captured">[];
    }
  | { kind: "plan"; plan: EventOf<"plan.made"> }
  | { kind: "message"; said: EventOf<"message.said"> }
  | { kind: "approval"; asked: EventOf<"approval.asked">; given: EventOf<"approval.given"> | null }
  | { kind: "denied"; denied: EventOf<"egress.denied">; count: number }
  | { kind: "calls"; calls: readonly EventOf<"model.called">[] }
  | { kind: "files"; files: readonly EventOf<"file.changed">[] }
  | { kind: "screens"; screens: readonly EventOf<"screen.captured">[] }
  | { kind: "image"; last: EventOf<"image.progress">; lines: number }
  | { kind: "note"; event: NotedEvent }
  | { kind: "waiting"; waiting: EventOf<"agent.waiting">; repeated: boolean }
  | { kind: "end"; ended: EventOf<"job.ended">; repeated: boolean }
);
type PlanState = EventOf<"plan.made">["data"]["steps"][number]["state"];
export type ItemOf<K extends TimelineItem["kind"]> = Extract<TimelineItem, { kind: K }>;

const noted: ReadonlySet<string> = new Set(NOTED);
/** Further apart than this the same denial is told again, where it happened. */
const REPEAT_WITHIN_ITEMS = 12;

/** Makes the items of a growing story, so that what was told before is not looked at again. */
export class TimelineItems {
  #items: TimelineItem[] = [];
  #first: StoryEvent | undefined;
  #last: StoryEvent | undefined;
  #count = 0;
  /** Where in `#items` something is that later events add to. */
  readonly #places = new Map<string, number>();
  #latest_step: number | null = null;
  /** A script's plan is its steps, and only they say how far it is. */
  #is_script = false;

  /** The items of these events; the same array when nothing that is shown changed. */
  of(events: readonly StoryEvent[]): readonly TimelineItem[] {
    const grows = events[0] === this.#first && events[this.#count - 1] === this.#last && this.#count > 0;
    if (!grows) this.#begin();
    else if (events.length === this.#count) return this.#items;
    this.#items = [...this.#items];
    for (let index = this.#count; index < events.length; index += 1) {
      const event = events[index];
      if (event !== undefined) this.#add(event);
    }
    this.#first = events[0];
    this.#last = events.at(-1);
    this.#count = events.length;
    return this.#items;
  }

  #begin(): void {
    this.#items = [];
    this.#places.clear();
    this.#latest_step = null;
    this.#is_script = false;
    this.#count = 0;
  }

  #add(event: StoryEvent): void {
    const { seq, at } = event;
    const key = `${seq}`;
    switch (event.type) {
      case "step.started":
        this.#latest_step = event.data.step;
        this.#put(`step ${event.data.step}`, {
          kind: "step",
          key,
          at,
          started: event,
          ended: null,
          displayed: [],
          files: [],
          screens: [],
        });
        this.#tick(event.data.step, "active");
        return;
      case "step.ended":
        // What failed is still to be done, and nobody is at it any more.
        this.#tick(event.data.step, event.data.ok ? "done" : "pending");
        this.#change("step", `step ${event.data.step}`, (item) => ({ ...item, ended: event }));
        return;
      case "step.displayed":
        this.#change("step", `step ${event.data.step}`, (item) => ({
          ...item,
          displayed: longer(item.displayed, event),
        }));
        return;
      case "file.changed": {
        const change = (item: ItemOf<"step">) => ({ ...item, files: longer(item.files, event) });
        if (this.#latest_step !== null && this.#change("step", `step ${this.#latest_step}`, change)) return;
        if (!this.#changeLast("files", (item) => ({ ...item, files: longer(item.files, event) })))
          this.#items.push({ kind: "files", key, at, files: [event] });
        return;
      }
      case "screen.captured": {
        const change = (item: ItemOf<"step">) => ({ ...item, screens: longer(item.screens, event) });
        if (event.data.step !== null && this.#change("step", `step ${event.data.step}`, change)) return;
        if (!this.#changeLast("screens", (item) => ({ ...item, screens: longer(item.screens, event) })))
          this.#items.push({ kind: "screens", key, at, screens: [event] });
        return;
      }
      case "plan.made":
        if (!this.#change("plan", "plan", (item) => ({ ...item, plan: event })))
          this.#put("plan", { kind: "plan", key, at, plan: event });
        return;
      case "message.said":
        this.#items.push({ kind: "message", key, at, said: event });
        return;
      case "approval.asked":
        this.#put(`approval ${event.data.n}`, { kind: "approval", key, at, asked: event, given: null });
        return;
      case "approval.given":
        this.#change("approval", `approval ${event.data.n}`, (item) => ({ ...item, given: event }));
        return;
      case "egress.denied":
        this.#denied(event);
        return;
      case "model.called":
        if (!this.#changeLast("calls", (item) => ({ ...item, calls: longer(item.calls, event) })))
          this.#items.push({ kind: "calls", key, at, calls: [event] });
        return;
      case "image.progress":
        if (!this.#changeLast("image", (item) => ({ ...item, last: event, lines: item.lines + 1 })))
          this.#items.push({ kind: "image", key, at, last: event, lines: 1 });
        return;
      case "agent.waiting":
        this.#items.push({
          kind: "waiting",
          key,
          at,
          waiting: event,
          repeated: this.#wasSaid(event.data.summary),
        });
        return;
      case "job.ended":
        this.#items.push({
          kind: "end",
          key,
          at,
          ended: event,
          repeated: this.#wasSaid(event.data.summary),
        });
        return;
      default:
        if (event.type === "job.scheduled") this.#is_script = event.data.agent === "script";
        if (isNoted(event)) this.#items.push({ kind: "note", key, at, event });
    }
  }

  #denied(event: EventOf<"egress.denied">): void {
    const place = `denied ${event.data.host} ${event.data.rule}`;
    const index = this.#places.get(place);
    const { count } = event.data;
    const near = index !== undefined && index >= this.#items.length - REPEAT_WITHIN_ITEMS;
    const change = (item: ItemOf<"denied">) => ({ ...item, denied: event, count: item.count + count });
    if (near && this.#change("denied", place, change)) return;
    this.#put(place, { kind: "denied", key: `${event.seq}`, at: event.at, denied: event, count });
  }

  #tick(step: number, state: PlanState): void {
    if (!this.#is_script) return;
    this.#change("plan", "plan", (item) => {
      const steps = item.plan.data.steps.map((one, index) => (index === step - 1 ? { ...one, state } : one));
      return { ...item, plan: { ...item.plan, data: { ...item.plan.data, steps } } };
    });
  }

  /** Whether the last thing that the agent said is this. */
  #wasSaid(text: string): boolean {
    const last = this.#items.findLast(({ kind }) => kind === "message" || kind === "waiting");
    if (last?.kind === "message") return last.said.data.text.trim() === text.trim();
    return last?.kind === "waiting" && last.waiting.data.summary.trim() === text.trim();
  }

  #put(place: string, item: TimelineItem): void {
    this.#places.set(place, this.#items.length);
    this.#items.push(item);
  }

  #change<K extends TimelineItem["kind"]>(
    kind: K,
    place: string,
    change: (item: ItemOf<K>) => ItemOf<K>,
  ): boolean {
    const index = this.#places.get(place);
    return index !== undefined && this.#changeAt(kind, index, change);
  }

  #changeLast<K extends TimelineItem["kind"]>(kind: K, change: (item: ItemOf<K>) => ItemOf<K>): boolean {
    return this.#changeAt(kind, this.#items.length - 1, change);
  }

  #changeAt<K extends TimelineItem["kind"]>(
    kind: K,
    index: number,
    change: (item: ItemOf<K>) => ItemOf<K>,
  ): boolean {
    const item = this.#items[index];
    if (item?.kind !== kind) return false;
    this.#items[index] = change(item as ItemOf<K>);
    return true;
  }
}

/** The same list with one more: a step may show or change a hundred thousand things, and a copy for each would stop the page. */
function longer<T>(list: readonly T[], one: T): readonly T[] {
  (list as T[]).push(one);
  return list;
}

/** A phase of which another item says more, and a sandbox that linked as it should, are not worth a line. */
function isNoted(event: StoryEvent): event is NotedEvent & StoryEvent {
  if (!noted.has(event.type)) return false;
  if (event.type === "sandbox.linked") return event.data.relinked;
  return event.type !== "phase.changed" || event.data.phase === "starting" || event.data.phase === "packing";
}
