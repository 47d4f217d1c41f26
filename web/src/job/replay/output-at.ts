import { queryOptions } from "@tanstack/react-query";
import { eventsPage, NEWEST } from "../events/events-page.ts";
import type { EventOf } from "../events/job-events.ts";
import { chunkOf, type OutputChunk } from "../events/step-output.ts";

/** An hour of looking at a long output keeps no more than what was looked at lately. */
const KEPT_MS = 30_000;

/** What a step wrote last before an event, or before its end for null: at most `limit` pieces of it. */
export const outputBefore = (wanted: {
  job_id: string;
  step: number;
  after: number;
  before: number | null;
  limit: number;
}) =>
  queryOptions({
    queryKey: ["output", wanted],
    queryFn: async ({ signal }): Promise<OutputChunk[]> => {
      const { job_id, step, after, before, limit } = wanted;
      const page = await eventsPage(
        job_id,
        { types: "step.output", after, before: before ?? NEWEST, limit },
        signal,
      );
      const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
      return page
        .filter(
          (event): event is EventOf<"step.output"> =>
            event.type === "step.output" && event.data.step === step,
        )
        .map((event) => chunkOf(event, decoders));
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: KEPT_MS,
  });
