import { Command, CommanderError, Option } from "commander";
import { AppError } from "../contract/errors.ts";
import { ApprovalPolicy, EgressPolicy } from "../contract/job.ts";
import { parseDuration, parseNumber, parseSize, parseWhole } from "../contract/typed-units.ts";
import { VERSION } from "../contract/version.ts";
import { apply } from "./commands/apply.ts";
import { allow, approve, send } from "./commands/conversation.ts";
import { cp } from "./commands/cp.ts";
import { type DesktopOptions, desktop } from "./commands/desktop.ts";
import { type ExecOptions, exec } from "./commands/exec.ts";
import { forward } from "./commands/forward.ts";
import { cancel, download, type ListOptions, list, status } from "./commands/jobs.ts";
import { type LogsOptions, logs } from "./commands/logs.ts";
import { type OpenOptions, open } from "./commands/open.ts";
import { ports } from "./commands/ports.ts";
import { providers } from "./commands/providers.ts";
import { type RunOptions, run } from "./commands/run.ts";
import { doctor, type ServeOptions, serve, setup, stop } from "./commands/server.ts";
import { type ShellOptions, shell } from "./commands/shell.ts";
import { listTokens, makeToken, removeToken } from "./commands/token.ts";
import { watch } from "./commands/watch.ts";
import { type Context, Interrupted } from "./context.ts";
import { reportError } from "./error-report.ts";
import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";
import type { LocalServer } from "./local-server.ts";

const collect = (value: string, before: string[] = []) => [...before, value];
const ID_HELP = "the job's id, its beginning or end, or 'last'";

/** Runs one command line (without the program's own name) to its end and states its exit code. Never throws. */
export async function runProgram(argv: string[], io: Io, local: LocalServer): Promise<void> {
  // Who reads our output may go away (`| head`); that is no failure of ours, and nobody is left to tell.
  io.stdout.on("error", ignoreBrokenPipe);
  io.stderr.on("error", ignoreBrokenPipe);
  try {
    await createProgram(io, local).parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) io.exit_code(error.exitCode === 0 ? EXIT.complete : EXIT.usage);
    else io.exit_code(reportError({ io, json: argv.includes("--json") }, error));
  } finally {
    io.stdout.off("error", ignoreBrokenPipe);
    io.stderr.off("error", ignoreBrokenPipe);
  }
}

function ignoreBrokenPipe(error: Error): void {
  if (!("code" in error) || error.code !== "EPIPE") throw error;
}

/** The commands. `parseAsync` throws CommanderError for what is no valid command line, and what commands throw. */
export function createProgram(io: Io, local: LocalServer): Command {
  const program = new Command("sealwork")
    .description(
      "Describe a task; an agent works on it in a sealed container; the result comes back as a ZIP.",
    )
    .version(VERSION, "--version")
    .option("--json", "print JSON instead of text")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.terminal.columns(),
      getErrHelpWidth: () => io.terminal.columns(),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ minWidthToWrap: 20 })
    .showSuggestionAfterError()
    .addHelpText("after", AFTER_HELP);

  const command = (name: string, description: string) =>
    program.command(name).description(description).option("--json", "print JSON instead of text");
  const act = async (from: Command, work: (context: Context) => Promise<number>) => {
    const json = from.optsWithGlobals().json === true;
    const context: Context = { io, local, json };
    try {
      io.exit_code(await work(context));
    } catch (error) {
      if (!(error instanceof AppError || error instanceof Interrupted)) throw error;
      io.exit_code(reportError(context, error));
    }
  };

  addRunOptions(
    command("run", "do a task and save its result").argument(
      "<task>",
      "a file, a sentence, or - for standard input",
    ),
  ).action((task: string, options: RunOptions, from: Command) =>
    act(from, (context) => run(context, task, options)),
  );
  command("ls", "list jobs, newest first")
    .option("--status <status>", "only pending, running, complete, error or cancelled")
    .option("--label <name[=value]>", "only those with this label")
    .option("--text <words>", "only those whose task has these words")
    .option("--limit <count>", "at most so many", parseWhole, 20)
    .action((options: ListOptions, from: Command) => act(from, (context) => list(context, options)));
  command("status", "show one job")
    .argument("<id>", ID_HELP)
    .action((id: string, _options: object, from: Command) => act(from, (context) => status(context, id)));
  command("watch", "show a job live, as run does; answer its questions and talk to it")
    .argument("<id>", ID_HELP)
    .action((id: string, _options: object, from: Command) => act(from, (context) => watch(context, id)));
  command("logs", "print what the steps of a job wrote")
    .argument("<id>", ID_HELP)
    .option("-f, --follow", "until the job has ended")
    .option("--stream <stream>", "only stdout or stderr")
    .option("--step <number>", "only this step", parseWhole)
    .action((id: string, options: LogsOptions, from: Command) =>
      act(from, (context) => logs(context, id, options)),
    );
  command("shell", "a terminal in the sandbox of a job; ~. after enter leaves it running")
    .argument("<id>", ID_HELP)
    .option("--id <terminal>", "come back to this terminal")
    .action((id: string, options: ShellOptions, from: Command) =>
      act(from, (context) => shell(context, id, options)),
    );
  command("exec", "run one command in the sandbox of a job")
    .argument("<id>", ID_HELP)
    .argument("<command...>", "after --, the program and its arguments")
    .option("-i, --interactive", "hand it what is typed; what is piped it gets anyway")
    .option("--cwd <folder>", "where it runs; the workspace unless given")
    .option("--env <name[=value]>", "a variable; without a value, yours; may be repeated", collect)
    .action((id: string, words: string[], options: ExecOptions, from: Command) =>
      act(from, (context) => exec(context, id, words, options)),
    );
  command("forward", "open ports of a job's sandbox on this machine")
    .argument("<id>", ID_HELP)
    .argument("<port[:local]...>", "the port there, and the one here unless it is the same; 0 for any")
    .action((id: string, ports: string[], _options: object, from: Command) =>
      act(from, (context) => forward(context, id, ports)),
    );
  command("ports", "list what listens in a job's sandbox")
    .argument("<id>", ID_HELP)
    .action((id: string, _options: object, from: Command) => act(from, (context) => ports(context, id)));
  command("open", "show the dashboard in the browser, signed in; or a job there, or what it serves")
    .argument("[id]", ID_HELP)
    .argument("[what]", "a port, jupyter or desktop; the job's page unless given")
    .option("--path <path>", "where in it, as /docs/")
    .option("--print", "print the address only")
    .action((id: string | undefined, what: string | undefined, options: OpenOptions, from: Command) =>
      act(from, (context) => open(context, id, what, options)),
    );
  command("desktop", "open a job's desktop for a VNC viewer of this machine")
    .argument("<id>", ID_HELP)
    .option("--port <number>", "the port here; any that is free unless given", parseWhole)
    .option("--control", "drive it; the agent waits meanwhile")
    .option("--force", "drive it, whoever drives it now")
    .option("--name <name>", "who you are, for others who look")
    .action((id: string, options: DesktopOptions, from: Command) =>
      act(from, (context) => desktop(context, id, options)),
    );
  command("send", "say something to the agent of a job")
    .argument("<id>", ID_HELP)
    .argument("<text>", "what to say, or - for standard input")
    .action((id: string, text: string, _options: object, from: Command) =>
      act(from, (context) => send(context, id, text)),
    );
  command("approve", "allow what a job asks for")
    .argument("<id>", ID_HELP)
    .argument("<number>", "the number of the question", parseWhole)
    .option("--deny", "answer no instead")
    .action((id: string, n: number, options: { deny?: boolean }, from: Command) =>
      act(from, (context) => approve(context, id, { n, deny: options.deny === true })),
    );
  command("allow", "open a host for a job at work")
    .argument("<id>", ID_HELP)
    .argument("<host>", "example.org, *.example.org or example.org:8443")
    .action((id: string, host: string, _options: object, from: Command) =>
      act(from, (context) => allow(context, id, host)),
    );
  command("cancel", "stop a job; its work so far is kept")
    .argument("<id>", ID_HELP)
    .action((id: string, _options: object, from: Command) => act(from, (context) => cancel(context, id)));
  command("download", "save the result of an ended job")
    .argument("<id>", ID_HELP)
    .option("--out <folder>", "where to save it; a name that ends in .zip is the file", ".")
    .action((id: string, options: { out: string }, from: Command) =>
      act(from, (context) => download(context, id, options)),
    );
  command("cp", "copy files between this machine and the sandbox of a job")
    .argument("<from>", "a path here or ID:PATH; - is standard input")
    .argument("<to>", "ID:PATH or a path here; - is standard output")
    .addHelpText("after", CP_HELP)
    .action((from: string, to: string, _options: object, command: Command) =>
      act(command, (context) => cp(context, from, to)),
    );
  command("apply", "merge the changes of a job that ran with --dir into a folder")
    .argument("<id>", ID_HELP)
    .option("--dir <folder>", "the folder that was sent", ".")
    .action((id: string, options: { dir: string }, from: Command) =>
      act(from, (context) => apply(context, id, options)),
    );
  command("providers", "list the providers of models that are configured").action(
    (_options: object, from: Command) => act(from, providers),
  );
  const token = command("token", "the tokens and browsers that may come in");
  const tokenCommand = (name: string, description: string) =>
    token.command(name).description(description).option("--json", "print JSON instead of text");
  tokenCommand("ls", "list them, newest first").action((_options: object, from: Command) =>
    act(from, listTokens),
  );
  tokenCommand("new", "make a token for a program, and print it this one time")
    .argument("<name>", "what it is for")
    .option(
      "--expires <duration>",
      "how long it is good, as 30d; until it is revoked unless given",
      parseDuration,
    )
    .action((name: string, options: { expires?: number }, from: Command) =>
      act(from, (context) => makeToken(context, name, options)),
    );
  tokenCommand("rm", "revoke a token, or sign a browser out")
    .argument("<id>", "its id as `token ls` shows it")
    .action((id: string, _options: object, from: Command) =>
      act(from, (context) => removeToken(context, id)),
    );
  command("serve", "run the server in the foreground")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <number>", "the port; 8000 unless given", parseWhole)
    .option("--no-auth", "want no token; on loopback only")
    .action((options: ServeOptions, from: Command) => act(from, (context) => serve(context, options)));
  command("stop", "stop the server of this machine").action((_options: object, from: Command) =>
    act(from, stop),
  );
  command("doctor", "say what works and how to mend what does not").action(
    (_options: object, from: Command) => act(from, doctor),
  );
  command("setup", "get container engine and image ready").action((_options: object, from: Command) =>
    act(from, setup),
  );
  return program;
}

function addRunOptions(command: Command): Command {
  return command
    .option("--out <folder>", "where the ZIP goes; a name that ends in .zip is the file", ".")
    .option("--dir <folder>", "send this folder as the workspace, and keep a patch of what changes")
    .option("--file <path[=as]>", "send a file into the workspace; may be repeated", collect)
    .option("--patch", "keep a patch of what changes in the files that were sent")
    .option("--template <name>", "the image to work in")
    .option("--agent <name>", "what decides the steps: auto, script, native, gemini-cli, …")
    .option("--model <name>", "the model that it uses, as model or provider/model")
    .option("--max-tokens <count>", "tokens that models may use for it", parseWhole)
    .option("--max-cost <dollars>", "what model calls may cost", parseNumber)
    .option("--max-calls <count>", "how often a model may be called", parseWhole)
    .option("--allow <host>", "let it reach this host too; may be repeated", collect)
    .addOption(
      new Option(
        "--egress <policy>",
        "what it may reach: no host, only --allow, the registries too, or all",
      ).choices(EgressPolicy.options),
    )
    .addOption(
      new Option("--approve <policy>", "ask you before what is risky, or before each step").choices(
        ApprovalPolicy.options,
      ),
    )
    .option("--approve-timeout <duration>", "silence for so long means no, as 5m", parseDuration)
    .option("--linger <duration>", "stay open so long for a follow-up after an answer, as 10m", parseDuration)
    .option("--cpus <count>", "processors", parseNumber)
    .option("--memory <size>", "memory, as 2g", parseSize)
    .option("--disk <size>", "disk, as 10g", parseSize)
    .option("--pids <count>", "processes", parseWhole)
    .option("--timeout <duration>", "how long it may take, as 1h", parseDuration)
    .option("--idle-timeout <duration>", "how long nothing may happen, as 30m", parseDuration)
    .option(
      "--env <name[=value]>",
      "a variable for the task; without a value, yours; may be repeated",
      collect,
    )
    .option("--label <name[=value]>", "a label to find it by; may be repeated", collect)
    .addOption(new Option("--priority <number>", "higher runs earlier").argParser(parseWhole))
    .option("-d, --detach", "leave it running and print its id");
}

const CP_HELP = `
PATH is relative to the workspace, or begins with /workspace, ~ or
/home/agent. A folder goes with all that is in it: into the other one
when that is there, under its own name; FOLDER/. means what is in it.

Examples:
  sealwork cp data.csv last:input/
  sealwork cp last:reports .
  sealwork cp last:log.txt - | less
`;

const AFTER_HELP = `
Examples:
  sealwork run examples/sales-report.md
  GEMINI_API_KEY=… sealwork run "Build me a todo app in React"
  sealwork run --dir . task.md && sealwork apply last
  sealwork run -d task.md
  sealwork watch last
  sealwork open

Exit codes: 0 complete, 1 error, 2 usage, 3 cancelled,
4 timed out, 5 cannot reach server or engine.

SEALWORK_URL and SEALWORK_TOKEN name a server elsewhere;
without them one runs on this machine.
`;
