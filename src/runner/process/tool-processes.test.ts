import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compileReaper } from "./compiled-reaper.fake.ts";
import { StopCause, ToolProcesses, type ToolRun } from "./tool-processes.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

function processes(oomKills: () => Promise<number | null> = async () => null): ToolProcesses {
  return new ToolProcesses({ reaper_path: reaper.path, folder: reaper.folder, oomKills });
}

async function bash(tools: ToolProcesses, code: string, given: Partial<ToolRun> = {}) {
  const written = { stdout: "", stderr: "" };
  const result = await tools.run({
    argv: ["bash", "-c", code],
    cwd: reaper.folder,
    env: { PATH: process.env.PATH ?? "" },
    stdin_path: null,
    async onOutput(stream, chunk) {
      written[stream] += chunk.toString();
    },
    signal: new AbortController().signal,
    ...given,
  });
  return { ...result, ...written };
}

test("a tool's exit code and both its streams come back", async () => {
  await using tools = processes();
  const { cause, exit_code, signal, stdout, stderr } = await bash(tools, "echo out; echo err >&2; exit 3");
  assert.deepEqual(
    { cause, exit_code, signal, stdout, stderr },
    {
      cause: "exited",
      exit_code: 3,
      signal: null,
      stdout: "out\n",
      stderr: "err\n",
    },
  );
});

test("output can be opened by its path under /dev", async () => {
  await using tools = processes();
  const { stdout, stderr, exit_code } = await bash(
    tools,
    "echo hi > /dev/stderr && echo ho | tee /dev/stdout",
  );
  assert.deepEqual({ stdout, stderr, exit_code }, { stdout: "ho\nho\n", stderr: "hi\n", exit_code: 0 });
});

test("no output is lost when it is taken more slowly than it is written", async () => {
  await using tools = processes();
  for (let round = 0; round < 5; round++) {
    const taken: Buffer[] = [];
    await bash(tools, "seq 1 30000", {
      async onOutput(_stream, chunk) {
        taken.push(chunk);
        await writeFile(join(reaper.folder, "taken"), chunk, { flush: true });
      },
    });
    const written = Array.from({ length: 30_000 }, (_, index) => `${index + 1}\n`).join("");
    assert.equal(Buffer.concat(taken).toString(), written);
  }
});

test("all output that was written before the end comes, however much it is", async () => {
  await using tools = processes();
  let bytes = 0;
  await bash(tools, "head -c 20000000 /dev/zero", {
    async onOutput(_stream, chunk) {
      bytes += chunk.length;
      await new Promise(setImmediate);
    },
  });
  assert.equal(bytes, 20_000_000);
});

test("a step ends although a daemon holds its pipes, floods them, and is not ended by that", async () => {
  await using tools = processes();
  const code =
    "echo begun; setsid bash -c 'trap \"echo died > died\" PIPE; while :; do echo flood; done' & echo $! > daemon";
  const { cause, stdout } = await bash(tools, code);
  assert.equal(cause, "exited");
  assert.match(stdout, /begun/);
  const { stdout: alive } = await bash(tools, "kill -0 $(cat daemon) && test ! -e died && echo alive");
  assert.equal(alive, "alive\n");
});

test("a tool that was started is written to, gets signals, and has a terminal when it is given one", async () => {
  await using tools = processes();
  let written = "";
  const arrived = new EventTarget();
  const started = await tools.start({
    argv: [
      "bash",
      "-c",
      "trap 'echo interrupted' INT; tty; read -r line; echo got:$line; read -r line; stty size",
    ],
    cwd: reaper.folder,
    env: { PATH: process.env.PATH ?? "" },
    stdin: "pipe",
    terminal: { columns: 91, rows: 17 },
    async onOutput(_stream, chunk) {
      written += chunk.toString();
      arrived.dispatchEvent(new Event("output"));
    },
  });
  assert.ok(typeof started !== "string");
  const until = async (text: string): Promise<void> => {
    while (!written.includes(text)) await once(arrived, "output");
  };
  await until("/dev/pts/");
  started.reaper.input?.write("hello\n");
  await until("got:hello");
  started.reaper.signal(constants.signals.SIGINT);
  await until("interrupted");
  started.reaper.resize({ columns: 92, rows: 18 });
  started.reaper.input?.write("\n");
  assert.deepEqual(await started.reaper.toolEnded, { kind: "exit", code: 0 });
  await started.finish();
  assert.match(written, /18 92\r\n$/);
});

test("disposal ends a daemon that left its session", async () => {
  {
    await using tools = processes();
    await bash(tools, "setsid sleep 1000 & echo $! > sleeper");
    assert.equal((await bash(tools, "kill -0 $(cat sleeper)")).exit_code, 0);
  }
  await using tools = processes();
  assert.equal((await bash(tools, "kill -0 $(cat sleeper) 2>/dev/null")).exit_code, 1);
});

test("a tool that is stopped gets SIGTERM first", async () => {
  await using tools = processes();
  const stop = new AbortController();
  const { cause, exit_code, stdout } = await bash(
    tools,
    "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done",
    {
      signal: stop.signal,
      onOutput: async () => stop.abort(new StopCause("cancelled")),
    },
  );
  assert.deepEqual({ cause, exit_code, stdout }, { cause: "cancelled", exit_code: 5, stdout: "" });
});

test("a tool that ignores SIGTERM is killed, and its cause is the one it was stopped for", async () => {
  await using tools = processes();
  const stop = new AbortController();
  const { cause, signal } = await bash(tools, "trap '' TERM; echo up; while :; do sleep 0.05; done", {
    signal: stop.signal,
    onOutput: async () => stop.abort(new StopCause("timed_out")),
  });
  assert.deepEqual({ cause, signal }, { cause: "timed_out", signal: "SIGKILL" });
});

test("a tool that is stopped is gone with all that it left behind when its result comes", async () => {
  await using tools = processes();
  const stop = new AbortController();
  let written = "";
  const code = "for i in {1..20}; do (trap '' TERM; exec setsid sleep 1111) & echo $!; done; wait";
  const { cause } = await bash(tools, code, {
    signal: stop.signal,
    onOutput: async (_stream, chunk) => {
      written += chunk.toString();
      if (written.split("\n").length > 20) stop.abort(new StopCause("timed_out"));
    },
  });
  const left = written
    .trim()
    .split("\n")
    .filter((pid) => lives(Number(pid)));
  assert.deepEqual({ cause, left }, { cause: "timed_out", left: [] });
});

test("a tool that kills its reaper ends with it", async () => {
  await using tools = processes();
  assert.equal((await bash(tools, "kill -9 $PPID; sleep 100")).cause, "reaper_lost");
});

test("a program that is missing is named", async () => {
  await using tools = processes();
  const result = await bash(tools, "", { argv: ["no-such-program"] });
  assert.equal(result.cause, "not_started");
  assert.match(result.message ?? "", /no-such-program is not in this image/);
});

test("a tool that fails while the kernel's count of memory kills rises was killed for memory", async () => {
  let kills = 0;
  await using tools = processes(async () => kills++);
  assert.equal((await bash(tools, "kill -9 $$")).cause, "out_of_memory");
  assert.equal((await bash(tools, "true")).cause, "exited");
});

test("what takes the output holds the tool back, and its error comes out", async () => {
  await using tools = processes();
  const failing = bash(tools, "echo x", {
    onOutput: async () => {
      throw new Error("full");
    },
  });
  await assert.rejects(failing, /full/);
});

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
