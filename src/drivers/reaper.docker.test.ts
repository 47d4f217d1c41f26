import assert from "node:assert/strict";
import { test } from "node:test";
import { runHardened, testBase } from "./docker-images.fake.ts";

/** Runs inside the container: starts reapers, speaks to them on fd 3 and 4, and prints one JSON value. */
const PRELUDE = `
import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
function reaper(...args) {
  const child = spawn("/opt/sealwork/bin/reaper", args, { stdio: ["pipe", "pipe", "inherit", "pipe", "pipe"] });
  const status = [], waiting = [];
  let rest = "", output = "";
  const check = () => { for (const one of waiting.splice(0)) one(); };
  child.stdio[3].on("data", (data) => {
    const lines = (rest + data).split("\\n");
    rest = lines.pop();
    status.push(...lines.map((line) => JSON.parse(line)));
    check();
  });
  child.stdout.on("data", (data) => { output += data; check(); });
  child.stdio[4].on("error", () => {});
  return {
    status,
    output: () => output,
    input: (text) => child.stdin.write(text),
    control: (line) => child.stdio[4].write(line + "\\n"),
    hang_up: () => child.stdio[4].end(),
    async until(condition) { while (!condition()) await new Promise((done) => waiting.push(done)); },
    async has(key) { await this.until(() => status.some((one) => key in one)); },
    closed: once(child, "close"),
  };
}
const processes = () => readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).flatMap((pid) => {
  try {
    const text = readFileSync("/proc/" + pid + "/stat", "utf8");
    return [{ pid: Number(pid), name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), state: text[text.lastIndexOf(")") + 2] }];
  } catch { return []; }
});
const named = (name) => processes().filter((one) => one.name === name && one.state !== "Z").length;
const print = (value) => console.log(JSON.stringify(value));
`;

async function inside(script: string, pids?: number): Promise<unknown> {
  const { reference } = await testBase();
  const options = pids === undefined ? {} : { pids };
  const output = await runHardened(reference, ["/usr/local/bin/node", "--input-type=module", "-"], {
    input: PRELUDE + script,
    ...options,
  });
  return JSON.parse(output);
}

/** Status lines without the pid, which differs from run to run. */
const ENDS = "r.status.filter((one) => !('pid' in one))";

test("the exit code of a tool, its signal and its failure to start are told apart", async () => {
  const told = await inside(`
    const all = {};
    for (const [name, args] of Object.entries({
      code: ["--", "sh", "-c", "exit 3"],
      signal: ["sh", "-c", "kill -9 $$"],
      missing: ["no-such-program"],
      folder: ["--cwd", "/no/such/folder", "true"],
      refused: ["/etc/passwd"],
    })) {
      const r = reaper(...args);
      await r.closed;
      all[name] = ${ENDS};
    }
    print(all);`);
  const drained = { drained: true };
  assert.deepEqual(told, {
    code: [{ exit: 3 }, drained],
    signal: [{ signal: 9 }, drained],
    missing: [{ error: "ENOENT", stage: "exec" }, drained],
    folder: [{ error: "ENOENT", stage: "chdir" }, drained],
    refused: [{ error: "EACCES", stage: "exec" }, drained],
  });
});

test("a tool starts in its folder, leads a session, is the first to go when memory runs out, and inherits no other descriptor", async () => {
  const told = await inside(`
    const r = reaper("--cwd", "/usr/share", "sh", "-c", 'pwd; cat /proc/self/oom_score_adj; echo /proc/self/fd/*; ps -o sid= -p $$; echo $$');
    await r.closed;
    print(r.output().trim().split(/\\n\\s*/));`);
  assert(Array.isArray(told));
  assert.deepEqual(told.slice(0, 2), ["/usr/share", "1000"]);
  assert.doesNotMatch(String(told[2]), /fd\/[4-9]/);
  assert.equal(told[3], told[4]);
});

test("a daemon outlives its tool, whose end is told at once, and dies with `kill`", async () => {
  const told = await inside(`
    const r = reaper("sh", "-c", "(setsid sh -c 'trap \\"\\" TERM HUP; sleep 1111' >/dev/null 2>&1 &) ; exit 5");
    await r.has("exit");
    while (named("sleep") === 0) await new Promise(setImmediate);
    const alive = named("sleep");
    r.control("kill");
    await r.closed;
    print({ ends: ${ENDS}, alive, left: named("sleep") });`);
  assert.deepEqual(told, { ends: [{ exit: 5 }, { drained: true }], alive: 1, left: 0 });
});

test("`term` reaches every descendant, and the end of the control channel kills what ignores it", async () => {
  const told = await inside(`
    const polite = reaper("sh", "-c", "setsid sleep 1111 & sleep 2222 & wait");
    await polite.has("pid");
    while (named("sleep") < 2) await new Promise(setImmediate);
    polite.control("term");
    await polite.closed;
    const left = named("sleep");
    const r = reaper("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 3333; done");
    await r.until(() => r.output() === "ready\\n");
    r.hang_up();
    await r.closed;
    print({ left, ends: ${ENDS} });`);
  assert.deepEqual(told, { left: 0, ends: [{ signal: 9 }, { drained: true }] });
});

test("`signal` goes to the process group of the tool", async () => {
  const told = await inside(`
    const r = reaper("bash", "-c", "trap 'echo got it; exit 7' INT; echo ready; while :; do sleep 0.05; done");
    await r.until(() => r.output() === "ready\\n");
    r.control("signal 2");
    await r.closed;
    print({ output: r.output(), ends: ${ENDS} });`);
  assert.deepEqual(told, { output: "ready\ngot it\n", ends: [{ exit: 7 }, { drained: true }] });
});

test("a fork bomb ends with `kill`", { timeout: 60_000 }, async () => {
  const told = await inside(
    `
    const r = reaper("bash", "-c", "f() { f | f & f | f & }; f 2>/dev/null; while :; do f 2>/dev/null; done");
    while (processes().length < 60) await new Promise(setImmediate);
    r.control("kill");
    await r.closed;
    print({ left: named("bash"), last: r.status.at(-1) });`,
    128,
  );
  assert.deepEqual(told, { left: 0, last: { drained: true } });
});

test("`sweep` ends what came since `mark`, in any session; the tool, what ran before and the workers of that go on", async () => {
  const code = [
    "read -r x; (while sleep 0.01; do :; done; true) & sleep 1111 &",
    "read -r x; (setsid sleep 2222 &); sleep 3333 &",
    "read -r x; exit 4",
  ].join(" ");
  const told = await inside(`
    const r = reaper("bash", "-c", ${JSON.stringify(code)});
    const until = async (condition) => { while (!condition()) await new Promise(setImmediate); };
    const runs = (seconds) => processes().filter(({ pid }) => {
      try { return readFileSync("/proc/" + pid + "/cmdline", "utf8") === "sleep\\0" + seconds + "\\0"; } catch { return false; }
    }).length;
    r.input("\\n");
    await until(() => runs(1111) === 1);
    r.control("mark 1");
    await r.has("done");
    r.input("\\n");
    await until(() => runs(2222) + runs(3333) === 2);
    r.control("sweep 2");
    await r.until(() => r.status.some((one) => one.done === 2));
    const left = [runs(2222), runs(3333), runs(1111)];
    await until(() => runs(0.01) === 0);
    await until(() => runs(0.01) === 1);
    r.input("\\n");
    await r.has("exit");
    r.control("kill");
    await r.closed;
    print({ left, ends: ${ENDS} });`);
  const ends = [{ done: 1 }, { done: 2 }, { exit: 4 }, { drained: true }];
  assert.deepEqual(told, { left: [0, 0, 1], ends });
});

const BOMBS = {
  "that takes every place": "f() { f | f & f | f & }; f & true",
  "that is away again at once": "f() { f & }; f & true",
  "in sessions of its own": `export f='setsid bash -c "$f" & setsid bash -c "$f" & wait'; eval "$f" & true`,
};
for (const [what, bomb] of Object.entries(BOMBS))
  test(`a fork bomb ${what} ends with \`sweep\`, and every place is free again`, {
    timeout: 60_000,
  }, async () => {
    const code = `read -r x; { ${bomb}; } 2>/dev/null; read -r x; for i in {1..90}; do sleep 1111 & done; echo started`;
    const told = await inside(
      `
      const r = reaper("bash", "-c", ${JSON.stringify(code)});
      await r.has("pid");
      r.control("mark 1");
      await r.has("done");
      r.input("\\n");
      // Its processes have numbers that only a bomb gets to.
      while (!processes().some(({ pid }) => pid > 100)) await new Promise(setImmediate);
      r.control("sweep 2");
      await r.until(() => r.status.some((one) => one.done === 2));
      const left = named("bash");
      r.input("\\n");
      await r.until(() => r.output() === "started\\n");
      r.control("kill");
      await r.closed;
      print({ left, last: r.status.at(-1) });`,
      128,
    );
    assert.deepEqual(told, { left: 1, last: { drained: true } });
  });

test("a terminal echoes, has its size, takes a new one, and gives its signals to the foreground", async () => {
  const told = await inside(`
    const r = reaper("--pty", "81x23", "--cwd", "/tmp", "bash", "--norc", "--noprofile");
    r.input("PS1=; tty; stty size\\n");
    await r.until(() => r.output().includes("23 81"));
    r.control("resize 100 40");
    r.input("stty size; echo $((40 + 2))\\n");
    await r.until(() => r.output().includes("40 100") && r.output().includes("42"));
    r.input("sleep 1111\\n");
    while (named("sleep") === 0) await new Promise(setImmediate);
    r.control("signal 2");
    r.input("exit 9\\n");
    await r.closed;
    print({ echoed: r.output().includes("echo $((40 + 2))"), tty: /\\/dev\\/pts\\/\\d/.test(r.output()), ends: ${ENDS} });`);
  assert.deepEqual(told, { echoed: true, tty: true, ends: [{ exit: 9 }, { drained: true }] });
});

test("50 shells in terminals have job control in a sandbox, with two processes each, and end together", async () => {
  const told = await inside(`
    const before = processes().length;
    const all = Array.from({ length: 50 }, () => reaper("--pty", "80x24", "--", "bash", "--norc", "--noprofile", "--noediting", "-i"));
    await Promise.all(all.map((r) => r.until(() => r.output().endsWith("$ "))));
    const started = processes().length - before;
    for (const r of all) r.input("sleep 1111\\r");
    while (named("sleep") < 50) await new Promise(setImmediate);
    for (const r of all) r.input("\\x1a");
    await Promise.all(all.map((r) => r.until(() => r.output().includes("Stopped"))));
    const complaints = all.filter((r) => /job control|process group/.test(r.output())).length;
    for (const r of all) r.control("kill");
    await Promise.all(all.map((r) => r.closed));
    print({ started, complaints, left: processes().length - before });`);
  assert.deepEqual(told, { started: 100, complaints: 0, left: 0 });
});

test("all that a tool wrote to its terminal has come out when its end is told, a daemon on the same terminal or not", async () => {
  const told = await inside(`
    const r = reaper("--pty", "80x24", "sh", "-c", "(trap '' HUP; sleep 1111) & seq 20000");
    await r.has("exit");
    await r.until(() => r.output().includes("\\n20000\\r\\n"));
    const before = ${ENDS}.length;
    r.control("kill");
    await r.closed;
    print({ before, lines: r.output().split("\\r\\n").length - 1 });`);
  assert.deepEqual(told, { before: 1, lines: 20000 });
});

test("no zombie is left after 200 tools that leave orphans behind", { timeout: 120_000 }, async () => {
  const told = await inside(`
    for (let i = 0; i < 25; i++) {
      await Promise.all(Array.from({ length: 8 }, () => reaper("sh", "-c", "(sleep 0 & sleep 0 &) ; true").closed));
    }
    print(processes().filter((one) => one.state === "Z").length);`);
  assert.equal(told, 0);
});
