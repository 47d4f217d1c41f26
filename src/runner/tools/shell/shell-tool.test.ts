import assert from "node:assert/strict";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import { StopCause } from "../../process/tool-processes.ts";
import { toolsAt } from "../tools-fixture.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

const open = (given?: Parameters<typeof toolsAt>[1]) =>
  toolsAt({ reaper_path: reaper.path, folder: reaper.folder }, given);
type Tools = Awaited<ReturnType<typeof open>>;

const run = (tools: Tools, command: string, more: object = {}) => tools.call("shell", { command, ...more });

/** That the session still answers, and kept what was set before. */
async function assertKept(tools: Tools): Promise<void> {
  const { output, exit_code } = await run(tools, "echo $kept; pwd");
  assert.deepEqual([exit_code, output], [0, `yes\n${tools.workspace}/kept\n`]);
}
const KEEP = "kept=yes; mkdir -p kept; cd kept";

test("what a command that takes too long left in the background ends with it; what runs since before goes on", async () => {
  await using tools = await open();
  const before = "(while sleep 0.01; do :; done; true) & early=$!; sleep 1231 & too=$!";
  await run(tools, `${KEEP}; ${before}`);
  const late = await run(tools, "sleep 1232 & late=$!; (setsid sleep 1234 & echo $! > away); sleep 1233", {
    timeout_s: 1,
  });
  assert.equal(late.cause, "timed_out");
  await assertKept(tools);
  // The shell itself reaps what it started, so waiting for it needs no time.
  const early = "kill -0 $early && kill -0 $too && echo go on; kill $early $too";
  const code = `wait $late; echo $?; ${early}; kill -0 $(cat away) 2> /dev/null || echo gone`;
  assert.equal((await run(tools, code)).output, "137\ngo on\ngone\n");
});

test("folder, variables, functions, aliases and options last between commands", async () => {
  await using tools = await open();
  await run(
    tools,
    "mkdir -p a/b; cd a/b; x=1; export y=2; f() { echo f:$1; }; alias say='echo said'; set -f",
  );
  await run(tools, "declare -A map=([key]=value)");
  const { output, for_model, exit_code } = await run(
    tools,
    `pwd; echo $x; sh -c "echo \\$y"; f 3; say it; echo *; echo \${map[key]}`,
  );
  assert.equal(output, `${tools.workspace}/a/b\n1\n2\nf:3\nsaid it\n*\nvalue\n`);
  assert.equal(exit_code, 0);
  assert.match(for_model, /^exit code 0 \(\d+\.\d s, in .*\/a\/b\)\n\/.*\n1\n2\n/);
});

test("both streams come apart, with the exit code, and a failure is a result", async () => {
  await using tools = await open();
  const { events, exit_code, cause, for_model } = await run(tools, "echo out; echo err >&2; false");
  const streams = events.flatMap((event) =>
    event.type === "step.output" ? [[event.data.stream, event.data.data]] : [],
  );
  assert.deepEqual(streams.sort(), [
    ["stderr", "err\n"],
    ["stdout", "out\n"],
  ]);
  assert.deepEqual([cause, exit_code], ["exited", 1]);
  assert.match(for_model, /^exit code 1 /);
  const { output, exit_code: missing } = await run(tools, "echo a\nno-such-program");
  assert.equal(missing, 127);
  assert.match(output, /^a\nbash: no-such-program: command not found/);
});

test("standard input is empty", async () => {
  await using tools = await open();
  const { output } = await run(
    tools,
    "cat; read x; echo got:$x; python3 -c 'print(len(input()))' 2>&1 | tail -1",
  );
  assert.equal(output, "got:\nEOFError: EOF when reading a line\n");
});

test("output can be opened by its path under /dev, and a character that comes apart is put together", async () => {
  await using tools = await open();
  const { output } = await run(tools, "echo hi > /dev/stderr; echo ho | tee /dev/stdout");
  assert.equal(output, "hi\nho\nho\n");
});

for (const [what, command] of Object.entries({
  "set -u with an unset variable": "set -u; echo $nothing; echo never",
  "an expansion that fails": `echo \${nothing:?is missing}; echo never`,
  "a syntax error": "if true; then",
  "break, continue and return": "break; continue; return 3; false",
  "closed descriptors": "exec 0<&- 1>&- 2>&-; false",
  "every descriptor closed": 'for fd in $(ls /proc/$$/fd); do eval "exec $fd>&-"; done; false',
  "descriptors of its own, as flock takes them":
    "exec 9>lock 10>lock2 11>lock3; flock 10; exec 10>&- 11>&-; false",
  "output sent elsewhere": "exec > elsewhere 2>&1; echo there; false",
  "a prompt command, an input separator and more of its own":
    "PROMPT_COMMAND='echo p'; IFS=abc; PS1='$ '; IGNOREEOF=0; set -C; false",
  "read-only variables": "readonly IFS PROMPT_COMMAND; false",
  "functions in the way": "pwd() { :; }; read() { :; }; printf() { :; }; eval() { :; }; false",
  "aliases in the way": "alias builtin=false exec=false read=false; false",
  tracing: "set -x; false",
  "no execution": "set -n",
  "SIGTERM to the shell": "kill $$; sleep 0.05; false",
  "SIGINT to the shell": "kill -INT $$; sleep 5; false",
  "POSIX mode": "set -o posix; false",
  "a debugger": "shopt -s extdebug; trap 'true' DEBUG; false",
  "binary output": "head -c 100000 /dev/urandom; false",
  "a trap at the end": "trap 'echo bye' EXIT; false",
})) {
  test(`${what} neither hangs nor breaks the session`, async () => {
    await using tools = await open();
    await run(tools, KEEP);
    const result = await run(tools, command, { timeout_s: 8 });
    assert.equal(result.cause, "exited", result.for_model);
    await run(tools, "set +x; PROMPT_COMMAND=; unset -f pwd read printf eval; unalias -a");
    await assertKept(tools);
  });
}

test("a child that is killed is an exit code with its signal named", async () => {
  await using tools = await open();
  await run(tools, KEEP);
  const { exit_code, for_model } = await run(tools, "sh -c 'kill -9 $$'");
  assert.equal(exit_code, 137);
  assert.match(for_model, /SIGKILL/);
  await assertKept(tools);
});

test("what was killed for memory is told so, and the next command runs", async () => {
  let kills = 0;
  await using tools = await open({ oomKills: async () => kills++ });
  const { cause, for_model, exit_code } = await run(tools, "sh -c 'kill -9 $$'");
  assert.deepEqual([cause, exit_code], ["out_of_memory", 137]);
  assert.match(for_model, /^out of memory .*no memory left/);
  assert.equal((await run(tools, "echo on")).output, "on\n");
});

test("a shell that is killed is a result, and the next command runs in a new one", async () => {
  await using tools = await open();
  await run(tools, KEEP);
  const { cause, signal, for_model } = await run(tools, "echo before; kill -9 $$");
  assert.deepEqual([cause, signal], ["signalled", "SIGKILL"]);
  assert.match(for_model, /ended by SIGKILL[\s\S]*new one[\s\S]*before/);
  const { output } = await run(tools, "echo [$kept]; pwd");
  assert.equal(output, `[]\n${tools.workspace}/kept\n`);
});

for (const [what, command, code] of [
  ["exit", "exit 3", 3],
  ["set -e with a failing line", "set -e; (exit 4); echo never", 4],
] as const) {
  test(`${what} ends the shell, which is said, and folder and exports go on`, async () => {
    await using tools = await open();
    await run(tools, "mkdir 'a b'; cd 'a b'; export there=\"it's\n2\"; gone=1");
    const { exit_code, cause, for_model } = await run(tools, command);
    assert.deepEqual([cause, exit_code], ["exited", code]);
    assert.match(for_model, /The shell has ended; the next command runs in a new one, with its folder/);
    const { output } = await run(tools, 'pwd; echo "$there"; echo [$gone] $-');
    assert.match(output, /a b\nit's\n2\n\[\] [^e]*\n$/);
  });
}

test("exec replaces the shell: its end is the step's, and the next command runs", async () => {
  await using tools = await open();
  const { output, exit_code, for_model } = await run(tools, "exec sh -c 'echo replaced; exit 5'");
  assert.deepEqual([exit_code, output], [5, "replaced\n"]);
  assert.match(for_model, /new one/);
  assert.equal((await run(tools, "echo on")).output, "on\n");
});

const TOO_LONG = {
  "a sleep": "echo begun; sleep 100; echo never",
  "a loop of the shell": "echo begun; while :; do :; done",
  "a loop of programs": "echo begun; while true; do sleep 0.01; done",
  "a program that ignores the interrupt":
    "echo begun; bash -c 'trap \"\" INT; while :; do sleep 1; done'; echo never",
  "a subshell": "echo begun; (sleep 100; echo never)",
};

// At the same time, because each waits for its limit.
test("what takes too long is ended, with the session kept where it can be", {
  concurrency: true,
}, async (t) => {
  const kept = Object.entries(TOO_LONG).map(([what, command]) =>
    t.test(`${what} is interrupted, and the session is kept`, async () => {
      await using tools = await open();
      await run(tools, KEEP);
      const { cause, output, for_model } = await run(tools, command, { timeout_s: 1 });
      assert.equal(cause, "timed_out");
      // What follows a program that had to be killed may still begin, as a shell goes on after any program.
      assert.match(output, /^begun\n(never\n)?\n?$/);
      assert.match(for_model, /^timed out: It took longer than 1 s and was interrupted/);
      await assertKept(tools);
    }),
  );
  const replaced = t.test("a shell that cannot be interrupted is replaced, and that is said", async () => {
    await using tools = await open();
    await run(tools, KEEP);
    const { cause, for_model } = await run(tools, "trap '' INT; while :; do :; done", { timeout_s: 1 });
    assert.equal(cause, "timed_out");
    assert.match(for_model, /The shell has ended.*background jobs are lost/);
    assert.equal((await run(tools, "pwd")).output, `${tools.workspace}/kept\n`);
  });
  await Promise.all([...kept, replaced]);
});

test("100 MB of output are read to their end, held to bounds, and kept on disk in part", async () => {
  await using tools = await open();
  const { for_model, events } = await run(
    tools,
    "echo first; yes 0123456789abcdef | head -c 100000000; echo last",
  );
  assert.ok(for_model.length < 70_000);
  assert.match(for_model, /\nfirst\n[\s\S]*bytes are left out here[\s\S]*last\n$/);
  const path = join(tools.home, ".sealwork/outputs/step-1.txt");
  assert.ok(for_model.includes(path));
  assert.equal((await stat(path)).size, 8 * 1024 * 1024);
  assert.ok(events.some((event) => event.type === "limit.reached"));
  // The job may keep no more output by now, but the model still reads it.
  assert.match((await run(tools, "echo on")).for_model, /\non\n$/);
});

test("an output that is too long for the model lies whole in its file", async () => {
  await using tools = await open();
  const { for_model } = await run(tools, "seq 1 30000");
  assert.match(for_model, /All of it is in \S+step-1\.txt\. …\]/);
  const kept = await readFile(join(tools.home, ".sealwork/outputs/step-1.txt"), "utf8");
  assert.equal(kept, `${Array.from({ length: 30000 }, (_, index) => index + 1).join("\n")}\n`);
});

test("a daemon that keeps the output open holds no step up, and writes into no later one", async () => {
  await using tools = await open();
  const { output } = await run(tools, "(while :; do echo daemon; sleep 0.02; done) & disown; echo done");
  assert.match(output, /^(daemon\n)*done\n(daemon\n)*$/);
  assert.equal((await run(tools, "sleep 0.1; echo mine")).output, "mine\n");
});

test("what a command writes cannot pass for its end", async () => {
  await using tools = await open();
  const forge =
    'for f in "$(dirname "$(readlink /proc/$$/fd/1)")"/.*; do [ -p "$f" ] && printf "1 0 /\\n\\0" 1<>"$f"; done; exit_later() { :; }; (exit 9)';
  const { exit_code } = await run(tools, forge, { timeout_s: 5 });
  assert.equal(exit_code, 9);
  const { exit_code: next, output } = await run(tools, "pwd; (exit 8)");
  assert.equal(next, 8);
  assert.ok(output.includes(`${tools.workspace}\n`));
});

test("a shell whose files are removed is replaced, and its command has run once", {
  timeout: 30_000,
}, async () => {
  await using tools = await open();
  const running = run(tools, "echo x >> count; while [ ! -e go ]; do sleep 0.02; done");
  let begun = "";
  while (begun === "") begun = await readFile(join(tools.workspace, "count"), "utf8").catch(() => "");
  // Only what this test made, by its whole name.
  for (const name of await readdir(tools.scratch))
    await rm(join(tools.scratch, name), { recursive: true, force: true });
  await writeFile(join(tools.workspace, "go"), "");
  const { cause, for_model } = await running;
  assert.equal(cause, "exited");
  assert.match(for_model, /The shell has ended/);
  assert.equal(await readFile(join(tools.workspace, "count"), "utf8"), "x\n");
  assert.equal((await run(tools, "echo on")).output, "on\n");
});

test("a folder that is gone is left for the workspace", async () => {
  await using tools = await open();
  await run(tools, "mkdir gone; cd gone; rmdir ../gone; kill -9 $$");
  assert.equal((await run(tools, "pwd")).output, `${tools.workspace}\n`);
});

test("a terminal is given when it is asked for, with the state of the session", async () => {
  await using tools = await open();
  await run(tools, "mkdir t; cd t; export e=1; f() { echo function; }");
  const { output, exit_code, for_model } = await run(
    tools,
    "tty >/dev/null && echo terminal; stty size; f; echo $e; pwd; printf '\\033[31mred\\033[0m\\n'; exit 4",
    { pty: true },
  );
  assert.equal(exit_code, 4);
  assert.match(output, /^terminal\r\n40 120\r\nfunction\r\n1\r\n.*\/t\r\n/);
  assert.match(for_model, /\nred\n$/);
  const late = await run(tools, "read x", { pty: true, timeout_s: 1 });
  assert.equal(late.cause, "timed_out");
});

test("a background process is read later, told to end, and its end is told", async () => {
  await using tools = await open();
  await run(tools, "word=hello; say() { echo $word; }; export word");
  const { for_model } = await run(tools, "say; while :; do sleep 0.05; echo tick; done", {
    background: true,
  });
  assert.match(for_model, /Runs in the background as bg1/);
  const read = await tools.call("shell_output", { id: "bg1", wait_s: 5 });
  assert.match(read.for_model, /^bg1 runs .*\nhello\n/);
  const more = await tools.call("shell_output", { id: "bg1", wait_s: 5 });
  assert.match(more.output, /^(tick\n)+$/);
  assert.match((await tools.call("shell_output", {})).for_model, /^bg1 runs/);
  const ended = await tools.call("shell_output", { id: "bg1", signal: "SIGTERM" });
  assert.match(ended.for_model, /^bg1 has ended: ended by SIGTERM/);
  const missing = await tools.call("shell_output", { id: "bg7" });
  assert.match(missing.for_model, /There is no background process bg7/);
  assert.equal(missing.exit_code, 1);
});

test("a background process that fails at once is a failure, and one that ends later is told with the next command", async () => {
  await using tools = await open();
  const { exit_code, for_model } = await run(tools, "echo why >&2; exit 3", { background: true });
  assert.equal(exit_code, 3);
  assert.match(for_model, /bg1 has ended already: exit code 3/);
  assert.match((await tools.call("shell_output", { id: "bg1" })).for_model, /why\n$/);
  await run(tools, "while [ ! -e go ]; do sleep 0.02; done; exit 6", { background: true });
  let told = (await run(tools, "touch go")).for_model;
  while (!told.includes("bg2")) told = (await run(tools, "sleep 0.05")).for_model;
  assert.match(told, /background process bg2 has ended: exit code 6/);
  assert.doesNotMatch((await run(tools, "true")).for_model, /bg2/);
});

test("text can be typed into the terminal of a background process", async () => {
  await using tools = await open();
  await run(tools, "read -p 'name? ' x; echo got $x", { background: true, pty: true });
  let { output } = await tools.call("shell_output", { id: "bg1", input: "Ann\n", wait_s: 5 });
  while (!output.includes("got"))
    output += (await tools.call("shell_output", { id: "bg1", wait_s: 5 })).output;
  assert.match(output, /name\? [\s\S]*got Ann/);
});

test("commands that are asked for at the same time run one after the other", async () => {
  await using tools = await open();
  const results = await Promise.all([1, 2, 3].map((n) => run(tools, `echo ${n}; sleep 0.02; echo ${n}`)));
  assert.deepEqual(
    results.map((result) => result.for_model.split("\n").slice(1).join("")),
    ["11", "22", "33"],
  );
});

test("a job that is stopped ends the command and all that it started", async () => {
  await using tools = await open();
  const stop = new AbortController();
  const running = tools.call("shell", { command: "sleep 1234 & echo $! > pid; sleep 1234" }, stop.signal);
  let pid = "";
  while (!pid.endsWith("\n")) pid = await readFile(join(tools.workspace, "pid"), "utf8").catch(() => "");
  stop.abort(new StopCause("cancelled"));
  assert.equal((await running).cause, "cancelled");
  while (await stat(`/proc/${pid.trim()}`).catch(() => null)) await new Promise(setImmediate);
});

test("an image without bash is told so", async () => {
  await using tools = await open({ env: { PATH: "/nowhere" } });
  const { cause, for_model } = await run(tools, "echo hi");
  assert.equal(cause, "not_started");
  assert.match(for_model, /bash is not in this image/);
});
