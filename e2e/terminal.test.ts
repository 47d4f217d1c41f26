import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { TERMINALS_MAX, TerminalList } from "../src/contract/surfaces.ts";
import { TestOrchestrator } from "./harness.ts";
import { idleJob, LiveClient } from "./terminals.ts";

let orchestrator: TestOrchestrator;
let job_id: string;
before(async () => {
  orchestrator = await TestOrchestrator.start();
  job_id = await idleJob(orchestrator);
});
after(() => orchestrator[Symbol.asyncDispose]());

const open = (query: Parameters<typeof LiveClient.terminal>[2] = {}) =>
  LiveClient.terminal(orchestrator, job_id, query);
const PROMPT = "$ ";

async function terminals(): Promise<string[]> {
  const answer = await orchestrator.fetch(`/jobs/${job_id}/terminals`);
  return TerminalList.parse(await answer.json()).terminals.map(({ id }) => id);
}

/** What a command prints, by a command of its own. */
async function printed(...command: string[]): Promise<string> {
  const client = await LiveClient.exec(orchestrator, job_id, { command });
  client.send({ type: "end_of_input" });
  await client.ended();
  return client.all().toString().trim();
}

test("a terminal has its size, follows a change of it, speaks UTF-8 and 256 colours, and passes Ctrl-C and the exit code on", async () => {
  const terminal = await open({ columns: 101, rows: 31 });
  await terminal.saw(PROMPT);
  terminal.type(
    "stty size; tput colors; echo $TERM $COLORTERM; pwd; echo gr\u00fc\u00df\u6f22\u{1f600} | wc -m\r",
  );
  for (const text of ["31 101", "256", "xterm-256color truecolor", "/home/agent/workspace", "7\r\n"])
    await terminal.saw(text);
  terminal.send({ type: "resize", columns: 77, rows: 22 });
  terminal.type("stty size; type -p sysctl\r");
  await terminal.saw("22 77");
  await terminal.saw("/usr/sbin/sysctl");
  terminal.type("sh -c 'echo it$((1))runs; exec sleep 1000'\r");
  await terminal.saw("it1runs");
  terminal.type("\x03");
  await terminal.saw("^C");
  terminal.type("echo code $?\r");
  await terminal.saw("code 130");
  const id = await terminal.id;
  assert.ok((await terminals()).includes(id));
  terminal.type("exit 3\r");
  assert.deepEqual(await terminal.told("exited"), { type: "exited", exit_code: 3, signal: null });
  assert.equal((await terminal.ended()).code, 1000);
  assert.ok(!(await terminals()).includes(id));
  await assert.rejects(open({ id }), /404 not_found: There is no terminal/);
});

test("who comes back after a dropped connection sees what was there, and a program with the whole screen draws it anew", async () => {
  const first = await open();
  await first.saw(PROMPT);
  first.type("seq 1 50000; echo the''end; for i in 1 2 3; do printf '%s\\n' '\x16\x1b[6n'; done\r");
  await first.saw("theend");
  await first.saw(PROMPT);
  first.type("echo some text > notes; vi notes\r");
  await first.saw("some text");
  first.drop();
  const second = await open({ id: await first.id });
  await second.saw("some text");
  const replayed = second.all().toString();
  assert.doesNotMatch(replayed, /\x1b\[6n/, "nothing asks the terminal again");
  assert.match(replayed, /theend/);
  second.output.stdout.length = 0;
  second.type("Anew line\x1b:x\r");
  await second.saw("\x1b[?1049l");
  await second.saw(PROMPT);
  assert.equal(await printed("cat", "notes"), "some textnew line");
  second.type("exit\r");
  await second.ended();
});

test("output longer than the scrollback comes back cut where a line begins, with the modes that held before it", async () => {
  const first = await open();
  await first.saw(PROMPT);
  first.type("printf '\\033[?1000h'; seq 1 80000 | sed 's/$/\u6f22\u5b57/'; echo the''end\r");
  await first.saw("theend");
  first.drop();
  const second = await open({ id: await first.id });
  await second.saw("theend");
  const replayed = second.all().toString();
  assert.match(replayed, /^(\x1b\[\?\d+[hl])*\x1b\[\?1000h(\x1b\[\?\d+[hl])*\d+\u6f22\u5b57\r\n/);
  assert.doesNotMatch(replayed, /\ufffd/);
  second.drop();
  await orchestrator.fetch(`/jobs/${job_id}/terminals/${await first.id}`, { method: "DELETE" });
  assert.ok(!(await terminals()).includes(await first.id));
});

test("several people share a terminal: all see all of it, each may type, the last size holds", async () => {
  const one = await open({ columns: 90, rows: 20 });
  await one.saw(PROMPT);
  const other = await open({ id: await one.id, columns: 70, rows: 30 });
  other.type("stty size\r");
  await one.saw("30 70");
  await other.saw("30 70");
  one.send({ type: "resize", columns: 60, rows: 15 });
  one.type("stty size\r");
  await other.saw("15 60");
  const answer = await orchestrator.fetch(`/jobs/${job_id}/terminals`);
  const { terminals: listed } = TerminalList.parse(await answer.json());
  const shared = await one.id;
  const { attached, columns, command } = listed.find(({ id }) => id === shared) ?? {};
  assert.deepEqual({ attached, columns, command }, { attached: 2, columns: 60, command: "bash -l" });
  one.type("exit\r");
  await Promise.all([one.ended(), other.ended()]);
});

test("a viewer that does not read slows nobody down, is told what it missed, and has the end of it", async () => {
  const quick = await open();
  await quick.saw(PROMPT);
  const slow = await open({ id: await quick.id });
  await slow.told("opened");
  slow.socket.pause();
  const bytes = 24 * 1024 * 1024;
  quick.type(`head -c ${bytes} /dev/zero | tr '\\0' 'x' | fold -w 79; echo the''end\r`);
  await quick.saw("theend");
  assert.ok(quick.all().length > bytes, "who reads has all of it");
  assert.equal(quick.news.filter(({ type }) => type === "skipped").length, 0);
  slow.socket.resume();
  const { bytes: skipped } = await slow.told("skipped");
  await slow.saw("theend");
  assert.ok(Number(skipped) > 1024 * 1024 && slow.all().length < bytes, `${skipped} bytes skipped`);
  quick.type("exit\r");
  await slow.told("exited");
});

const BLOCKS = 400;
test("endless output fills no memory: it waits for the only one who looks, and goes on when nobody does", async () => {
  const memory = async () =>
    Number(await printed("sed", "-n", "s/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p", "/proc/1/status"));
  const endless = `
import os
for n in range(${BLOCKS}):
    open("progress.new", "w").write(str(n))
    os.rename("progress.new", "progress")
    os.write(1, b"y\\n" * 50000)
open("finished", "w")`;
  await printed("sh", "-c", `printf '%s' "$0" > endless.py`, endless);
  const terminal = await open();
  await terminal.saw(PROMPT);
  const before_kb = await memory();
  terminal.socket.pause();
  terminal.type("python3 endless.py\r");
  // It gets no further at some time, which is long before its end.
  const stuck =
    'until [ -n "$now" ] && [ "$now" = "$last" ]; do last=$now; sleep 2; now=$(cat progress); done; echo $now';
  const blocks = Number(await printed("sh", "-c", stuck));
  assert.ok(blocks > 0 && blocks < BLOCKS - 1, `${blocks} of ${BLOCKS} blocks were written`);
  const after_kb = await memory();
  assert.ok(after_kb - before_kb < 48 * 1024, `the runner grew from ${before_kb} to ${after_kb} kB`);
  terminal.drop();
  await printed("sh", "-c", "while [ ! -e finished ]; do sleep 0.05; done");
  const back = await open({ id: await terminal.id });
  await back.saw(/y\r\ny\r\n.*\$ /s);
  back.type("exit\r");
  await back.told("exited");
});

test("a megabyte pasted arrives whole", async () => {
  const terminal = await open();
  await terminal.saw(PROMPT);
  terminal.type("cat > pasted\r");
  await terminal.saw("cat > pasted\r\n");
  const lines = Array.from({ length: 16_000 }, () => `${randomBytes(32).toString("hex")}\r`).join("");
  terminal.type(lines);
  terminal.type("\x04");
  await terminal.saw(/\$ $/);
  const wanted = createHash("sha256").update(lines.replaceAll("\r", "\n")).digest("hex");
  assert.equal(await printed("sha256sum", "pasted"), `${wanted}  pasted`);
  terminal.type("exit\r");
  await terminal.ended();
});

test("there may be 64 terminals at once, each by itself; one more is refused until one has ended", async () => {
  const count = TERMINALS_MAX - (await terminals()).length;
  assert.ok(count >= 50);
  const all: LiveClient[] = [];
  for (let n = 0; n < count; n += 1) all.push(await open());
  for (const [n, terminal] of all.entries()) terminal.type(`echo it is $((${n} + 1000))\r`);
  for (const [n, terminal] of all.entries()) await terminal.saw(`it is ${n + 1000}`);
  assert.equal((await terminals()).length, TERMINALS_MAX);
  await assert.rejects(open(), /409 conflict: The sandbox has 64 terminals already/);
  const [ended, ...others] = all;
  assert.ok(ended !== undefined);
  const answer = await orchestrator.fetch(`/jobs/${job_id}/terminals/${await ended.id}`, {
    method: "DELETE",
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(await ended.told("exited"), { type: "exited", exit_code: null, signal: "SIGKILL" });
  const one_more = await open();
  await one_more.saw(PROMPT);
  for (const terminal of [...others, one_more]) terminal.type("exit\r");
  await Promise.all([...others, one_more].map((terminal) => terminal.ended()));
  assert.deepEqual(await terminals(), []);
});

test("an orchestrator that is restarted ends no terminal; the end of the job does, and says so", async () => {
  const first = await open();
  await first.saw(PROMPT);
  first.type("kept=here; echo marked''place\r");
  await first.saw("markedplace");
  const id = await first.id;
  await orchestrator.stop();
  assert.equal((await first.ended()).code, 1012);
  await orchestrator.restart();
  // Its runner dials anew within some seconds.
  await orchestrator.until(job_id, (event) => event.type === "sandbox.linked" && event.data.relinked);
  const second = await open({ id });
  await second.saw("markedplace");
  second.type("echo $kept\r");
  await second.saw("here");
  await orchestrator.cancel(job_id);
  const { code, reason } = await second.ended();
  assert.deepEqual([code, /has ended/.test(reason)], [4001, true]);
  await orchestrator.ended(job_id);
  await assert.rejects(open(), /409 conflict: .* has ended/);
});

test("what is shown is recorded where the template says so: the recording replays the same bytes, and is in the ZIP", async () => {
  await orchestrator.stop();
  const recorded = { image: "sealwork/base", build: "images/base", record_terminals: true };
  await using other = await TestOrchestrator.start({ config: { templates: { recorded } } });
  const job = await idleJob(other, "recorded");
  const terminal = await LiveClient.terminal(other, job, { columns: 91, rows: 33 });
  await terminal.saw(PROMPT);
  terminal.type("stty -echo\r");
  await terminal.saw(PROMPT);
  terminal.type("# a secret that is not shown\r");
  await terminal.saw(PROMPT);
  terminal.send({ type: "resize", columns: 70, rows: 20 });
  terminal.type("for i in $(seq 300); do printf '\u6f22\\033[31m\u5b57\\033[0m\\n'; done; exit 5\r");
  await terminal.told("exited");
  await other.cancel(job);
  await other.ended(job);
  const zip = await other.zip(job);
  const cast = zip.get(`.sealwork/terminals/${await terminal.id}.cast`);
  assert.ok(cast !== undefined, [...zip.keys()].join(" "));
  const [head = "", ...lines] = cast.content.toString().trimEnd().split("\n");
  const { version, term } = JSON.parse(head);
  assert.deepEqual([version, term], [3, { cols: 91, rows: 33, type: "xterm-256color" }]);
  const events = lines.map((line) => JSON.parse(line) as [number, string, string]);
  assert.ok(events.every(([interval]) => interval >= 0));
  const shown = events
    .filter(([, code]) => code === "o")
    .map(([, , text]) => text)
    .join("");
  assert.equal(shown, terminal.all().toString());
  assert.doesNotMatch(shown, /a secret/);
  assert.deepEqual(
    events.filter(([, code]) => code !== "o").map(([, ...event]) => event),
    [
      ["r", "70x20"],
      ["x", "5"],
    ],
  );
});
