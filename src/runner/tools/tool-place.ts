import type { ToolProcesses } from "../process/tool-processes.ts";
import type { Desktop } from "../surfaces/desktop/desktop.ts";

/** Where tools work. */
export type ToolPlace = {
  /** The folder that the volume is mounted at, and the workspace in it. */
  home: string;
  workspace: string;
  /** A folder outside the volume for what only lives as long as a step. */
  scratch: string;
  /** The environment of every step: the image's, the network's and the job's own. It holds neither key nor address of a model. */
  env: Record<string, string>;
  processes: ToolProcesses;
  /** Opens the desktop; left out where the image has none. */
  desktop?: (() => Promise<Desktop>) | undefined;
};
