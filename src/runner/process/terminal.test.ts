import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { after, before, test } from "node:test";
import { compileReaper } from "./compiled-reaper.fake.ts";
import { ToolProcesses } from "./tool-processes.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
let processes: ToolProcesses;
before(async () => {
  reaper = await compileReaper();
  processes = new ToolProcesses({
    reaper_path: reaper.path,
    folder: reaper.folder,
    oomKills: async () => null,
  });
});
after(async () => {
  await processes[Symbol.asyncDispose]();
  await reaper[Symbol.asyncDispose]();
});

const SHELL = ["bash", "--norc", "--noprofile", "--noediting", "-i"] as const;

/** A program in a terminal with a keyboard. `took` is awaited before more of its output is taken. */
async function open(
  argv: readonly [string, ...string[]],
  took: (bytes: number) => Promise<void> = async () => undefined,
) {
  let screen = "";
  let bytes = 0;
  const arrived = new EventTarget();
  const tool = await processes.start({
    argv,
    cwd: reaper.folder,
    env: { PATH: process.env.PATH ?? "", TERM: "dumb", LANG: "C.UTF-8", PS1: "$ " },
    stdin: "pipe",
    terminal: { columns: 80, rows: 24 },
    async onOutput(_stream, chunk) {
      bytes += chunk.length;
      screen = (screen + chunk.toString()).slice(-4096);
      arrived.dispatchEvent(new Event("output"));
      await took(bytes);
    },
  });
  assert(typeof tool !== "string", String(tool));
  const { input } = tool.reaper;
  assert(input !== null);
  return {
    tool,
    bytes: () => bytes,
    type: (text: string | Buffer) => input.write(text),
    /** Waits until the screen shows it, returns what stands there and clears it. */
    async until(shown: RegExp): Promise<string> {
      while (!shown.test(screen)) await once(arrived, "output");
      const all = screen;
      screen = "";
      return all;
    },
    async [Symbol.asyncDispose]() {
      tool.reaper.kill();
      await tool.reaper.gone;
    },
  };
}

/** Waits until a program of that name runs as a child of the process, and returns its id. */
async function childNamed(parent: number, name: string): Promise<number> {
  for (;;) {
    const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8");
    for (const child of children.trim().split(" ")) {
      const comm = await readFile(`/proc/${child}/comm`, "utf8").catch(() => "");
      if (comm === `${name}\n`) return Number(child);
    }
    await new Promise(setImmediate);
  }
}

/** Waits until a process is in such a state: T is suspended, S asleep. */
async function untilState(pid: number, state: string): Promise<void> {
  while (!(await readFile(`/proc/${pid}/stat`, "utf8")).includes(`) ${state} `))
    await new Promise(setImmediate);
}

test("a shell in a terminal has job control: its keys interrupt, suspend and end what stands in the foreground", async () => {
  await using terminal = await open(SHELL);
  const pid = (await terminal.tool.reaper.pid) ?? 0;
  // A shell without a terminal of its own would say so before its prompt.
  assert.equal(await terminal.until(/\$ $/), "$ ");
  terminal.type("sleep 1111\r");
  const sleep = await childNamed(pid, "sleep");
  terminal.type("\x1a");
  await terminal.until(/Stopped[^$]*\$ $/);
  terminal.type("jobs; fg\r");
  await terminal.until(/Stopped .*sleep 1111\s+sleep 1111\s+$/);
  // The shell names it before it gives it the terminal, and then lets it go on.
  await untilState(sleep, "S");
  terminal.type("\x03");
  await terminal.until(/\^C\s+\$ $/);
  terminal.type("echo code $?; cat\r");
  await terminal.until(/code 130\s+$/);
  terminal.type("line\r");
  await terminal.until(/line\s+line\s+$/);
  terminal.type("\x04");
  await terminal.until(/\$ $/);
  terminal.type("\x04");
  assert.deepEqual(await terminal.tool.reaper.toolEnded, { kind: "exit", code: 0 });
});

test("a shell in a terminal ends when that is closed", async () => {
  await using terminal = await open(SHELL);
  await terminal.until(/\$ $/);
  terminal.tool.reaper.signal(constants.signals.SIGHUP);
  assert.deepEqual(await terminal.tool.reaper.toolEnded, {
    kind: "signal",
    number: constants.signals.SIGHUP,
  });
});

test("a program in a terminal hears of a new size, and gets characters of several bytes", async () => {
  const code = "trap 'stty size' WINCH; read -r text; echo got $text; sleep 1111 & while :; do wait; done";
  await using terminal = await open(["bash", "-c", code]);
  terminal.type("é€😀\r");
  await terminal.until(/got é€😀\s+$/);
  terminal.tool.reaper.resize({ columns: 132, rows: 50 });
  await terminal.until(/50 132/);
});

for (const mode of ["sane", "raw -echo", "raw"])
  test(`a paste of 1 MB arrives whole in a terminal that is ${mode}, and holds up nothing`, async () => {
    const line = `${"x".repeat(99)}\n`;
    const paste = Buffer.from(line.repeat(10_500));
    const code = `stty ${mode}; echo ready; head -c ${paste.length} | sha256sum; echo taken`;
    await using terminal = await open(["bash", "-c", code]);
    await terminal.until(/ready/);
    terminal.type(paste);
    const screen = await terminal.until(/taken\s+$/);
    assert(screen.includes(createHash("sha256").update(paste).digest("hex")));
  });

test("a paste that nobody reads ends with its terminal", async () => {
  await using terminal = await open(["bash", "-c", "stty raw; echo ready; exec sleep 1111"]);
  await terminal.until(/ready/);
  terminal.type(Buffer.alloc(1024 * 1024, "x"));
  terminal.tool.reaper.signal(constants.signals.SIGINT);
  assert.deepEqual(await terminal.tool.reaper.toolEnded, {
    kind: "signal",
    number: constants.signals.SIGINT,
  });
});

test("who takes the output of a terminal slowly holds the program back, and gets all of it", async () => {
  const size = 16_000_000;
  const held = Promise.withResolvers<void>();
  await using terminal = await open(["bash", "-c", `stty raw; head -c ${size} /dev/zero; :`], async () => {
    await held.promise;
  });
  const head = await childNamed((await terminal.tool.reaper.pid) ?? 0, "head");
  const written = async () => Number(/^wchar: (\d+)$/m.exec(await readFile(`/proc/${head}/io`, "utf8"))?.[1]);
  for (let before = -1, same = 0; same < 200; ) {
    const now = await written();
    same = now > 0 && now === before ? same + 1 : 0;
    before = now;
  }
  assert((await written()) < 1_000_000);
  held.resolve();
  await terminal.tool.reaper.toolEnded;
  await terminal.tool.finish();
  assert.equal(terminal.bytes(), size);
});

test("50 terminals at once answer, each its own keyboard", async () => {
  await using all = new AsyncDisposableStack();
  const terminals = await Promise.all(Array.from({ length: 50 }, async () => all.use(await open(SHELL))));
  await Promise.all(
    terminals.map(async (terminal, index) => {
      await terminal.until(/\$ $/);
      terminal.type(`echo $((1000 + ${index}))\r`);
      await terminal.until(new RegExp(`\n${1000 + index}\r`));
    }),
  );
});
