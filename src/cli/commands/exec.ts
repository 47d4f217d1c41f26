import { AppError } from "../../contract/errors.ts";
import { exitStatus } from "../../contract/exit-status.ts";
import { CHANNELS } from "../../contract/frames.ts";
import { type Context, connect, interruptible } from "../context.ts";
import { type Io, write } from "../io.ts";
import { resolveJobId } from "../job-id.ts";
import { LiveSocket } from "../live-socket.ts";
import { processNews } from "../process-news.ts";
import { variable } from "../task-request.ts";

export type ExecOptions = { interactive?: boolean; cwd?: string; env?: string[] };

const STDIN = Buffer.of(CHANNELS.indexOf("stdin"));
/** As shells have it: the program was not found; its output has no reader any more (128 and SIGPIPE). */
const NOT_FOUND = 127;
const NO_READER = 141;

/**
 * `exec`: one command in the sandbox of a job, with this process's streams. The exit code is the command's. Ctrl-C goes to the command; a
 * second one kills it.
 */
export async function exec(
  context: Context,
  given: string,
  command: string[],
  options: ExecOptions,
): Promise<number> {
  const { io } = context;
  const env = Object.fromEntries((options.env ?? []).map((word) => variable(io, word)));
  let opening: LiveSocket;
  {
    using interrupt = interruptible(io);
    const { signal } = interrupt;
    const client = await connect(context, { start: false, signal });
    const job_id = await resolveJobId(client, given, signal);
    opening = await LiveSocket.open(client, { path: `/jobs/${job_id}/exec` }, signal);
  }
  using socket = opening;
  let interrupts = 0;
  using _interrupt = io.on_interrupt(() => {
    interrupts += 1;
    void socket.send({ type: "signal", signal: interrupts === 1 ? "SIGINT" : "SIGKILL" });
  });
  void socket.send({ command, cwd: options.cwd ?? null, env });
  using _input = sendInput(io, socket, options.interactive === true);
  let read = true;
  const unread = (): void => {
    read = false;
    socket[Symbol.dispose]();
  };
  io.stdout.once("error", unread);
  for await (const message of socket.messages()) {
    if (!read) return NO_READER;
    if ("bytes" in message) {
      const stream = CHANNELS[message.bytes[0] ?? -1] === "stderr" ? io.stderr : io.stdout;
      await write(stream, message.bytes.subarray(1));
      continue;
    }
    const news = processNews(message.text);
    if (news.type === "exited") return exitStatus(news);
    if (news.type !== "refused") continue;
    if (news.code !== "not_found") throw new AppError({ code: "usage", message: news.message });
    io.stderr.write(`error: ${news.message}\n`);
    return NOT_FOUND;
  }
  if (!read) return NO_READER;
  throw (
    (await socket.closed) ??
    new AppError({ code: "internal", message: "The server did not say how it ended." })
  );
}

/** Hands standard input on until disposed; that of a terminal only when it is wanted, or the command would take what is typed next. */
function sendInput(io: Io, socket: LiveSocket, interactive: boolean): Disposable {
  const is_terminal = "isTTY" in io.stdin && io.stdin.isTTY === true;
  if (is_terminal && !interactive) {
    void socket.send({ type: "end_of_input" });
    return { [Symbol.dispose]: () => undefined };
  }
  const typed = (bytes: Buffer): void => {
    io.stdin.pause();
    void socket.send(Buffer.concat([STDIN, bytes])).then(() => io.stdin.resume());
  };
  const ended = (): void => void socket.send({ type: "end_of_input" });
  io.stdin.on("data", typed);
  io.stdin.once("end", ended);
  return {
    [Symbol.dispose]() {
      io.stdin.off("data", typed);
      io.stdin.off("end", ended);
      io.stdin.pause();
    },
  };
}
