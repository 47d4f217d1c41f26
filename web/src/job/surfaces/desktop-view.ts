import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ControlRequest, DesktopView } from "../../../../src/contract/desktop-api.ts";
import { requestJson } from "../../api/request.ts";
import { useEvents } from "../../feed/use-feed.ts";

/** Who comes to look and goes is told by no event, so it is asked for this often while somebody looks here. */
const ASK_EVERY_MS = 5_000;

const NOBODY: DesktopView = { held_by: null, clipboard: true, viewers: [] };

const viewQuery = (job_id: string) =>
  queryOptions({
    queryKey: ["desktop", job_id],
    queryFn: ({ signal }) => requestJson<DesktopView>(`/jobs/${job_id}/desktop`, { signal }),
    refetchInterval: ASK_EVERY_MS,
    staleTime: 0,
  });

type ViewOrders = {
  view: DesktopView;
  /** Asks anew. */
  renew(): void;
  control(order: Pick<ControlRequest, "viewer" | "take" | "force">): Promise<void>;
  shareClipboard(enabled: boolean): Promise<void>;
};

/** Who looks at the desktop of a job, and who drives it. */
export function useDesktopView(job_id: string): ViewOrders {
  const client = useQueryClient();
  const options = viewQuery(job_id);
  const { data = NOBODY } = useQuery(options);
  const renew = (): void => void client.invalidateQueries({ queryKey: options.queryKey });
  useEvents((events) => {
    if (events.some((event) => event.type === "control.changed" && event.job_id === job_id)) renew();
  });
  const order = async (path: string, json: object): Promise<void> => {
    const view = await requestJson<DesktopView>(`/jobs/${job_id}/desktop/${path}`, { method: "POST", json });
    await client.cancelQueries({ queryKey: options.queryKey });
    client.setQueryData(options.queryKey, view);
  };
  return {
    view: data,
    renew,
    control: (json) => order("control", json),
    shareClipboard: (enabled) => order("clipboard", { enabled }),
  };
}
