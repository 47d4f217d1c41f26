import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { killDescendantsSince, processClock } from "./descendants.ts";

test("what came from a process since a moment is killed, however deep; itself and what is older live on", async () => {
  const shell = spawn(
    "bash",
    ["-c", "sleep 1000 & echo $!; read x; (sleep 1000 & echo $!; wait) & read x; kill -0 $!; wait"],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  const older = Number((await lines.next()).value);
  let since = await processClock();
  // What starts within the same tick of the clock counts as since.
  while ((await processClock()) === since) await new Promise(setImmediate);
  since += 1;
  shell.stdin.write("\n");
  const younger = Number((await lines.next()).value);
  const { pid = 0 } = shell;
  try {
    assert.equal(await killDescendantsSince(pid, since), 2);
    while (isRunning(younger)) await new Promise(setImmediate);
    assert.deepEqual([isRunning(older), isRunning(pid)], [true, true]);
  } finally {
    process.kill(older, "SIGKILL");
    shell.kill("SIGKILL");
    await once(shell, "exit");
  }
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
