import assert from "node:assert/strict";
import { test } from "node:test";
import { inside } from "../inside-fixture.ts";

const shell = (command: string, more: object = {}): [string, object] => ["shell", { command, ...more }];

test("what ends every process it may, or clears every folder, costs its own step at most", {
  timeout: 300_000,
}, async () => {
  const hostile = {
    "every process killed": shell("kill -9 -1; echo never", { timeout_s: 10 }),
    "every process told to end": shell("kill -TERM -1; sleep 0.1", { timeout_s: 10 }),
    "a fork bomb": shell("f() { f | f & }; f 2>/dev/null; sleep 30", { timeout_s: 3 }),
    "a fork bomb that no interrupt ends": shell("trap '' INT; f() { f | f & }; f 2>/dev/null; sleep 30", {
      timeout_s: 1,
    }),
    "temporary files cleared": shell("rm -rf /tmp/* /tmp/.[!.]*; true", { timeout_s: 3 }),
    "no descriptor left": shell("ulimit -n 4; ls | cat; true", { timeout_s: 10 }),
    "no file may grow": shell("ulimit -f 0; echo x > file; true", { timeout_s: 10 }),
    "stopped by itself": shell("kill -STOP $$; echo never", { timeout_s: 2 }),
    "its reaper stopped": shell("kill -STOP $PPID; sleep 30", { timeout_s: 2 }),
    "its reaper stopped, and nothing else": shell("kill -STOP $PPID"),
  };
  for (const [what, call] of Object.entries(hostile)) {
    const { results } = await inside(
      [shell("echo begun"), call, shell("echo on; id -u"), shell("echo again")],
      {
        pids: 128,
      },
    );
    const told = results.map((result) => `${result.cause}: ${result.for_model}`).join("\n\n");
    assert.equal(results[2]?.output, "on\n1000\n", `${what}\n${told}`);
    assert.equal(results[3]?.output, "again\n", `${what}\n${told}`);
  }
});

test("a shell in a sandbox lasts, has terminals and background processes, and ends what takes too long", {
  timeout: 300_000,
}, async () => {
  const { results } = await inside([
    shell("mkdir app; cd app; export A=1"),
    shell("tty; echo $A; pwd", { pty: true }),
    shell("python3 -m http.server 8123 --bind 127.0.0.1", { background: true }),
    shell(
      "for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8123/ && break; sleep 0.1; done; echo code $?",
    ),
    ["shell_output", { id: "bg1", wait_s: 5 }],
    ["shell_output", { id: "bg1", signal: "SIGKILL" }],
    shell("sleep 100", { timeout_s: 1 }),
    shell("echo $A; pwd"),
  ]);
  assert.match(results[1]?.output ?? "", /^\/dev\/pts\/\d+\r\n1\r\n\/home\/agent\/workspace\/app\r\n$/);
  assert.equal(results[3]?.output, "code 0\n");
  assert.match(results[4]?.for_model ?? "", /bg1 runs[\s\S]*GET \/ HTTP/);
  assert.match(results[5]?.for_model ?? "", /bg1 has ended: ended by SIGKILL/);
  assert.equal(results[6]?.cause, "timed_out");
  assert.equal(results[7]?.output, "1\n/home/agent/workspace/app\n");
});
