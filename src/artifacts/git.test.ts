import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { promisify } from "node:util";
import { never, rejectsWith } from "./artifact-samples.ts";
import { Git } from "./git.ts";

test("output is there in full although the child ended before anybody read it", async () => {
  await using git = new Git(["version"], never);
  await git.finish();
  assert.match(await text(git.stdout), /^git version /);
});

test("a failure is reported with what git said, also when the input is still being written", async () => {
  await using git = new Git(["no-such-command"], never);
  const writing = async () => {
    for (let n = 0; n < 1000; n += 1) await git.write(Buffer.alloc(64 * 1024));
    await git.finish();
  };
  await assert.rejects(writing, rejectsWith("internal", /no-such-command.*is not a git command/));
});

test("aborting ends the child", async () => {
  const stop = new AbortController();
  await using git = new Git(["hash-object", "--stdin"], stop.signal);
  await git.write("x");
  stop.abort(new Error("enough"));
  await assert.rejects(git.finish(), /enough/);
});

test("a run that finds no descriptor left fails alone", async () => {
  const script = `
    import { closeSync, openSync } from "node:fs";
    import { Git } from ${JSON.stringify(import.meta.resolve("./git.ts"))};
    const held = [];
    const fill = () => { for (;;) held.push(openSync("/dev/null", "r")); };
    try { fill(); } catch {}
    let said = "started";
    try { new Git(["version"], new AbortController().signal); } catch { said = "refused"; }
    for (const fd of held) closeSync(fd);
    // An error that nobody takes would come in the next turn and end the process.
    setImmediate(() => console.log(said));`;
  const limited = 'ulimit -n 64; exec "$0" --input-type=module-typescript -e "$1"';
  const { stdout } = await promisify(execFile)("bash", ["-c", limited, process.execPath, script]);
  assert.equal(stdout, "refused\n");
});
