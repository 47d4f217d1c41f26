import type { RunnerEventBody } from "../../contract/event.ts";
import type { Blobs } from "../blobs.ts";
import type { ToolPlace } from "../tools/tool-place.ts";

/** Where surfaces live: the place of the job's tools, and what they tell. */
export type SurfacePlace = ToolPlace & {
  job_id: string;
  blobs: Blobs;
  emit(body: RunnerEventBody): Promise<void>;
};
