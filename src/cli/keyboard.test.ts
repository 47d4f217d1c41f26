import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { onFollow, type World, world, zipOf } from "./cli-world.fake.ts";

const PROGRAM = path.join(import.meta.dirname, "../bin/sealwork.ts");
/** Runs a shell line on a pseudo-terminal of its own, joined to our pipes. */
const ON_A_TERMINAL =
  'import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", sys.argv[1]])))';

type Terminal = {
  saw(text: string): Promise<void>;
  type(keys: string): void;
  ended: Promise<number>;
  all(): string;
};

function terminal(t: TestContext, { server, cwd }: World, line: string): Terminal {
  const child = spawn("python3", ["-c", ON_A_TERMINAL, line], {
    cwd,
    env: {
      PATH: process.env.PATH,
      HOME: cwd,
      TERM: "xterm",
      NO_COLOR: "1",
      SEALWORK_URL: server.url,
      NODE: process.execPath,
      PROGRAM,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  return {
    all: () => out,
    type: (keys) => void child.stdin.write(keys),
    ended: once(child, "close").then(([code]) => code),
    async saw(text) {
      while (!out.includes(text)) await once(child.stdout, "data");
    },
  };
}

const RUN = '"$NODE" "$PROGRAM" run "do it"';

test("on a real terminal a question is answered by keys, and the terminal is given back as it was", async (t) => {
  const made = await world(t);
  const zip = await zipOf({ a: "1" });
  made.server.on_decision = (id) => made.server.end(id, {}, zip);
  onFollow(made.server, (id) => made.server.ask(id, 1, "npm install"));
  const screen = terminal(t, made, `stty -g; ${RUN}; stty -g`);
  await screen.saw("allow 1? y/n › ");
  screen.type("y");
  await screen.saw("allow 1? y/n › y");
  screen.type("\r");
  assert.equal(await screen.ended, 0);
  assert.match(screen.all(), /✓ Question 1: allowed\.\r\n/);
  const [before, after] = screen.all().match(/^[0-9a-f]+(?::[0-9a-f]+)+(?=\r)/gm) ?? [];
  assert.ok(before !== undefined && before === after, screen.all());
});

test("Ctrl-C on a real terminal cancels the job once, and a second one quits", async (t) => {
  const made = await world(t);
  onFollow(made.server, (id) => made.server.ask(id, 1, "npm install"));
  const screen = terminal(t, made, `${RUN}; echo "ended with $?"`);
  await screen.saw("allow 1? y/n › ");
  screen.type("\x03");
  await screen.saw("Cancelling; Ctrl-C again quits at once.");
  screen.type("\x03");
  await screen.saw("ended with 130");
  await screen.ended;
  assert.ok(made.server.received.some(({ path: asked }) => asked.startsWith("/cancel/")));
});

test("a run in the background of a terminal reads no keys, so it is not stopped", async (t) => {
  const made = await world(t);
  const zip = await zipOf({ a: "1" });
  onFollow(made.server, (id) => {
    made.server.ask(id, 1, "npm install");
    made.server.decide(id, 1, "allow");
    made.server.end(id, {}, zip);
  });
  // Job control gives a background process a group of its own, which the terminal stops when it reads.
  const screen = terminal(t, made, `set -m; ${RUN} & wait $!; echo "ended with $?"`);
  await screen.saw("ended with 0");
  await screen.ended;
  assert.match(screen.all(), /→ sealwork approve/);
});
