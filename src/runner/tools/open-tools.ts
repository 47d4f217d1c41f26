import { desktopTool } from "./desktop/desktop-tool.ts";
import { editFileTool } from "./files/edit-file-tool.ts";
import { listFilesTool } from "./files/list-files-tool.ts";
import { Reach } from "./files/reach.ts";
import { readFileTool } from "./files/read-file-tool.ts";
import { searchFilesTool } from "./files/search-files-tool.ts";
import { writeFileTool } from "./files/write-file-tool.ts";
import { pythonTool } from "./python/python-tool.ts";
import { BackgroundProcesses } from "./shell/background.ts";
import { shellOutputTool } from "./shell/shell-output-tool.ts";
import { ShellSession } from "./shell/shell-session.ts";
import { shellTool } from "./shell/shell-tool.ts";
import type { AgentTool } from "./tool.ts";
import type { ToolPlace } from "./tool-place.ts";

/** Where the base image has the program that speaks for a Jupyter kernel (images/base/kernel.py). */
const KERNEL_HELPER = "/opt/sealwork/kernel.py";

/** Tools with all that they hold open; disposal ends every process that they started. */
export type OpenTools = AsyncDisposable & { readonly tools: readonly AgentTool[] };

/** The tools of an agent with a model. They share one shell, which starts in the workspace with the first command. */
export function openTools(place: ToolPlace): OpenTools {
  const session = new ShellSession({ ...place, cwd: place.workspace });
  const background = new BackgroundProcesses(place);
  const reach = new Reach(place);
  const python = pythonTool(place, KERNEL_HELPER);
  return {
    tools: [
      shellTool(place, session, background),
      shellOutputTool(background),
      python,
      writeFileTool(reach),
      editFileTool(reach),
      readFileTool(reach),
      listFilesTool(reach),
      searchFilesTool(place, reach),
      ...(place.desktop === undefined ? [] : [desktopTool(place.desktop)]),
    ],
    async [Symbol.asyncDispose]() {
      const opened: AsyncDisposable[] = [session, background, python];
      await Promise.all(opened.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
