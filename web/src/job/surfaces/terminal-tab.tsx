import { SquareTerminal } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { Empty } from "../../ui/empty.tsx";
import { NotYet } from "./not-open.tsx";
import { sandboxState } from "./sandbox-state.ts";
import { Terminals } from "./terminals.tsx";

export function TerminalTab({ job }: { job: Job }) {
  const state = sandboxState(job);
  if (state === "before") return <NotYet job={job} what="A terminal" />;
  if (state === "over")
    return (
      <Empty icon={<SquareTerminal />} title="The sandbox is gone, and its terminals with it">
        What the steps of the agent wrote is in the timeline, and what the job left is under Files. To keep
        what terminals show, set <code>record_terminals</code> in the template.
      </Empty>
    );
  return <Terminals job={job} />;
}
