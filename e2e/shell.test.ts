import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, type TestContext, test } from "node:test";
import { CliProcess, PATIENCE_MS, REPOSITORY, TestOrchestrator } from "./harness.ts";
import { idleJob } from "./terminals.ts";

/*
 * Runs a shell line on a pseudo-terminal of its own, joined to our pipes. Of what comes in, a line that begins with a zero byte is the
 * size that the terminal shall have from now on.
 */
const ON_A_TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", sys.argv[1]])
def resize(rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
while True:
    ready, _, _ = select.select([fd, 0], [], [])
    if 0 in ready:
        data = os.read(0, 65536)
        if data[:1] == b"\\0":
            size, _, data = data[1:].partition(b"\\n")
            resize(*[int(word) for word in size.split()])
        os.write(fd, data)
    if fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
  await idleJob(orchestrator);
});
after(() => orchestrator[Symbol.asyncDispose]());

const PROGRAM = join(REPOSITORY, "src/bin/sealwork.ts");
/** Finds the orchestrator as on the machine that it runs on, so also after it was restarted on another port. */
const environment = () => ({ ...orchestrator.environment, TERM: "xterm", NODE: process.execPath, PROGRAM });
const PROMPT = "$ ";

function terminal(t: TestContext, line: string) {
  const child = spawn("python3", ["-c", ON_A_TERMINAL, line], {
    env: environment(),
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const changed = new EventEmitter();
  let all = "";
  let from = 0;
  let over = false;
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    all += more;
    changed.emit("changed");
  });
  const ended = once(child, "close").then(([code]): number => {
    over = true;
    changed.emit("changed");
    return code;
  });
  return {
    ended,
    all: () => all,
    type: (keys: string) => void child.stdin.write(keys),
    resize: (rows: number, columns: number) => void child.stdin.write(`\0${rows} ${columns}\n`),
    /** Waits for a text after the last one that was waited for. */
    async saw(wanted: string) {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      for (;;) {
        const at = all.indexOf(wanted, from);
        if (at >= 0) {
          from = at + wanted.length;
          return;
        }
        assert.ok(!over, `it ended without ${JSON.stringify(wanted)}: ${JSON.stringify(all.slice(from))}`);
        await once(changed, "changed", { signal });
      }
    },
  };
}

const SHELL = '"$NODE" "$PROGRAM" shell last';

test("sealwork shell: the size follows, Ctrl-C and the exit code pass, and the terminal is given back as it was", async (t) => {
  const screen = terminal(t, `stty rows 31 cols 101; stty -g; ${SHELL}; echo "code $?"; stty -g`);
  await screen.saw(PROMPT);
  screen.type("stty size\r");
  await screen.saw("31 101");
  screen.resize(44, 99);
  screen.type("until [ \"$(stty size)\" = '44 99' ]; do sleep 0.05; done; echo si''ze\r");
  await screen.saw("size");
  screen.type("sh -c 'echo it$((1))runs; exec sleep 1000'\r");
  await screen.saw("it1runs");
  screen.type("\x03");
  await screen.saw("^C");
  screen.type("echo gr\u00fc\u00df\u6f22; printf 'a\\nb\\n'; exit 7\r");
  await screen.saw("gr\u00fc\u00df\u6f22\r\na\r\nb\r\n");
  await screen.saw("code 7");
  assert.equal(await screen.ended, 0);
  const [before, after] = screen.all().match(/^[0-9a-f]+(?::[0-9a-f]+)+(?=\r)/gm) ?? [];
  assert.ok(before !== undefined && before === after, screen.all());
});

test("sealwork shell: ~. leaves a terminal running, --id comes back, and what a program made of the screen is undone", async (t) => {
  const first = terminal(t, `${SHELL}; echo "code $?"`);
  await first.saw(PROMPT);
  first.type("echo some text > note; vi note\r");
  await first.saw("\x1b[?1049h");
  await first.saw("some text");
  first.type("\r~.");
  await first.saw("\x1b[?1049l");
  await first.saw("--id ");
  await first.saw("code 0");
  const id = /--id ([0-9a-f]+)/.exec(first.all())?.[1];
  const second = terminal(t, `${SHELL} --id ${id}; echo "code $?"`);
  await second.saw("some text");
  second.type("\x1b:q!\r");
  await second.saw(PROMPT);
  second.type("exit\r");
  await second.saw("code 0");
});

test("sealwork shell: an orchestrator that is restarted interrupts a terminal, which goes on by itself", async (t) => {
  const screen = terminal(t, `${SHELL}; echo "code $?"`);
  await screen.saw(PROMPT);
  screen.type("kept=here\r");
  await screen.saw(PROMPT);
  await orchestrator.stop();
  await screen.saw("The connection was lost; coming back.");
  await orchestrator.restart();
  await screen.saw("kept=here");
  await screen.saw(PROMPT);
  screen.type("echo it is $kept; exit 4\r");
  await screen.saw("it is here");
  await screen.saw("code 4");
});

test("sealwork forward: a port is open here, both directions end by themselves, and Ctrl-C closes it", async () => {
  const inside = `require("net").createServer({ allowHalfOpen: true }, (c) => {
    let bytes = 0;
    c.on("data", (data) => { bytes += data.length }).on("end", () => c.end("got " + bytes));
  }).listen(4000, () => console.log("it listens"))`;
  const serving = await orchestrator.schedule({ prompt: `\`\`\`js\n${inside}\n\`\`\`` });
  await orchestrator.untilPrinted(serving, "it listens");
  const forward = new CliProcess(["forward", "last", "4000:0", "4001"], { env: environment() });
  await forward.untilPrinted("is port 4000 of the job");
  await forward.untilPrinted("Until Ctrl-C");
  const port = Number(/127\.0\.0\.1:(\d+) is port 4000/.exec(forward.printed.stdout)?.[1]);
  const socket = connectTcp(port, "127.0.0.1");
  socket.end(Buffer.alloc(3_000_000));
  assert.equal(await text(socket), "got 3000000");
  const other = Number(/127\.0\.0\.1:(\d+) is port 4001/.exec(forward.printed.stdout)?.[1]);
  const nobody = connectTcp(other, "127.0.0.1");
  await assert.rejects(once(nobody, "close"), { code: "ECONNRESET" });
  await forward.untilPrinted("Nothing listens on port 4001");
  forward.kill("SIGINT");
  assert.equal((await forward.ended).code, 0);
  await orchestrator.cancel(serving);
});

test("sealwork desktop: a VNC viewer of this machine connects, and drives when it was asked for; an image without a desktop says so", async () => {
  const local = (printed: string) => Number(/127\.0\.0\.1:(\d+)/.exec(printed)?.[1]);
  const job_id = await idleJob(orchestrator, "desktop");
  const args = ["desktop", job_id, "--control", "--name", "Anna"];
  const driving = new CliProcess(args, { env: environment() });
  await driving.untilPrinted("Until Ctrl-C");
  const viewer = connectTcp(local(driving.printed.stdout), "127.0.0.1");
  const [greeting] = await once(viewer, "data");
  assert.equal(String(greeting), "RFB 003.008\n");
  const { held_by } = (await (await orchestrator.fetch(`/jobs/${job_id}/desktop`)).json()) as {
    held_by: string;
  };
  assert.equal(held_by, "Anna");
  viewer.destroy();
  driving.kill("SIGINT");
  assert.equal((await driving.ended).code, 0);
  await orchestrator.cancel(job_id);
  const base = await idleJob(orchestrator);
  const without = new CliProcess(["desktop", base], { env: environment() });
  await without.untilPrinted("Until Ctrl-C");
  const nobody = connectTcp(local(without.printed.stdout), "127.0.0.1");
  await assert.rejects(once(nobody, "close"), { code: "ECONNRESET" });
  await without.untilPrinted("This image has no desktop");
  without.kill("SIGINT");
  await without.ended;
  await orchestrator.cancel(base);
});

test("sealwork shell and forward end with the job, and say so", async (t) => {
  const own = await idleJob(orchestrator);
  const screen = terminal(t, `"$NODE" "$PROGRAM" shell ${own}; echo "code $?"`);
  const forward = new CliProcess(["forward", own, "4000:0"], { env: environment() });
  await screen.saw(PROMPT);
  await forward.untilPrinted("Until Ctrl-C");
  await orchestrator.cancel(own);
  await screen.saw("has ended, and its sandbox with it");
  await screen.saw("code 1");
  const { code, stderr } = await forward.ended;
  assert.deepEqual([code, /has ended/.test(stderr)], [1, true]);
});
