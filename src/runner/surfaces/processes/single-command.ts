import type { Duplex } from "node:stream";
import { controlFrame, encodeFrame } from "../../../contract/frames.ts";
import type { ProcessNews, ProcessRequest } from "../../../contract/surfaces.ts";
import type { FifoSupply } from "../../process/fifo.ts";
import type { ToolStart } from "../../process/tool-processes.ts";
import type { SurfacePlace } from "../place.ts";
import { withInputPipe } from "./input-pipe.ts";
import { loginShell } from "./login-shell.ts";
import { PersonProcess } from "./person-process.ts";
import { processPlace } from "./process-place.ts";

/**
 * Runs one command on a connection: its output goes there as fast as it is taken, and when the connection goes, so does the command with all
 * that came of it. Throws AppError for what cannot be started, as PersonProcess and processPlace say.
 */
export async function startCommand(
  request: Pick<ProcessRequest, "command" | "cwd" | "env">,
  stream: Duplex,
  { place, pipes }: { place: SurfacePlace; pipes: FifoSupply },
): Promise<PersonProcess> {
  const { cwd, env } = await processPlace(request, place);
  const [program = "", ...args] = request.command ?? (await loginShell(env)).argv;
  const onOutput: ToolStart["onOutput"] = async (channel, data) => {
    if (stream.destroyed || stream.write(encodeFrame({ channel, data }))) return;
    await room(stream);
  };
  const tool = { argv: [program, ...args] as [string, ...string[]], cwd, env, onOutput };
  const process = await withInputPipe(pipes, (pipe) => PersonProcess.start(place.processes, tool, pipe));
  tell(stream, { type: "opened", terminal: null });
  void untilEnded(process, stream);
  return process;
}

/** Never rejects: output goes to a stream that is open, or nowhere. */
async function untilEnded(process: PersonProcess, stream: Duplex): Promise<void> {
  let over = false;
  const stop = (): void => {
    if (!over) void process.stop();
  };
  if (stream.destroyed) stop();
  stream.once("close", stop);
  const exit = await process.exited(() => {
    over = true;
  });
  tell(stream, { type: "exited", ...exit });
  if (!stream.destroyed) stream.end();
}

function tell(stream: Duplex, news: ProcessNews): void {
  if (!stream.destroyed) stream.write(controlFrame(news));
}

function room(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off("drain", settle);
      stream.off("close", settle);
      resolve();
    };
    stream.on("drain", settle);
    stream.on("close", settle);
  });
}
