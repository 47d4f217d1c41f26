import { Bot, User } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { Markdown } from "../../text/markdown.tsx";
import { Card } from "./card.tsx";
import { Moment } from "./moment.tsx";
import type { ItemOf } from "./timeline-items.ts";

export function MessageCard({ item, job }: { item: ItemOf<"message">; job: Job }) {
  const { from, text } = item.said.data;
  const person = from === "person";
  return (
    <Card
      icon={person ? <User /> : <Bot />}
      tone={person ? "person" : "accent"}
      title={<h3 className="font-medium">{person ? "You" : "Agent"}</h3>}
      meta={<Moment at={item.at} replays={job.phase === "ended"} />}
    >
      <Markdown text={text} className="-mt-1.5 text-sm" />
    </Card>
  );
}
