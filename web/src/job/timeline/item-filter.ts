import type { TimelineItem } from "./timeline-items.ts";

/** What of the timeline is shown. */
export type ItemFilter = { show: "all" | "steps" | "talk"; text: string };

export const EVERYTHING: ItemFilter = { show: "all", text: "" };

const STEPS: ReadonlySet<TimelineItem["kind"]> = new Set<TimelineItem["kind"]>(["step", "files", "screens"]);
const TALK: ReadonlySet<TimelineItem["kind"]> = new Set<TimelineItem["kind"]>([
  "message",
  "approval",
  "waiting",
  "plan",
  "end",
]);

export function filteredItems(items: readonly TimelineItem[], filter: ItemFilter): readonly TimelineItem[] {
  const text = filter.text.trim().toLowerCase();
  if (filter.show === "all" && text === "") return items;
  const kinds = { all: null, steps: STEPS, talk: TALK }[filter.show];
  return items.filter(
    (item) =>
      (kinds === null || kinds.has(item.kind)) && (text === "" || wordsOf(item).toLowerCase().includes(text)),
  );
}

/** What of an item a search looks at; the output of steps is not there to be looked at. */
function wordsOf(item: TimelineItem): string {
  switch (item.kind) {
    case "step": {
      const { title, code, tool } = item.started.data;
      const files = item.files.map(({ data }) => data.path);
      return [title, code, tool, item.ended?.data.message ?? "", ...files].join("\n");
    }
    case "plan":
      return item.plan.data.steps.map(({ title }) => title).join("\n");
    case "message":
      return item.said.data.text;
    case "approval":
      return `${item.asked.data.title}\n${item.asked.data.detail}`;
    case "denied":
      return `${item.denied.data.host}\n${item.denied.data.message}`;
    case "files":
      return item.files.map(({ data }) => data.path).join("\n");
    case "calls":
      return item.calls.map(({ data }) => data.model).join("\n");
    case "image":
      return item.last.data.line;
    case "waiting":
      return item.waiting.data.summary;
    case "end":
      return item.ended.data.summary;
    case "note":
      return JSON.stringify(item.event.data);
    case "screens":
      return "";
  }
}
