import { AppError } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import { EGRESS_HOSTS_MAX, type Egress } from "../contract/job.ts";
import type { JobRecord, JobState } from "./store.ts";

/** What a job may reach as it stands: what it was scheduled with, and the hosts that were opened since. */
export function egressOf({ request, state }: Pick<JobRecord, "request" | "state">): Egress {
  const { policy, hosts } = request.egress;
  return { policy, hosts: [...hosts, ...state.opened_hosts] };
}

/** What opens one more host; null when it is open already. Throws AppError `conflict` when there are too many. */
export function opening(
  { job_id, request }: Pick<JobRecord, "job_id" | "request">,
  state: JobState,
  { host, by }: Extract<EventBody, { type: "egress.opened" }>["data"],
): { change: Pick<JobState, "opened_hosts">; event: EventBody } | null {
  const { hosts } = egressOf({ request, state });
  if (hosts.includes(host)) return null;
  if (hosts.length >= EGRESS_HOSTS_MAX)
    throw new AppError({ code: "conflict", message: `Job ${job_id} has ${EGRESS_HOSTS_MAX} open hosts.` });
  return {
    change: { opened_hosts: [...state.opened_hosts, host] },
    event: { type: "egress.opened", data: { host, by } },
  };
}
