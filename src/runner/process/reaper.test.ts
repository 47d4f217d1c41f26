import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);

test("a tool that is started when no descriptor is left is refused, and the runner lives on", async () => {
  const script = `
    import { closeSync, openSync } from "node:fs";
    import { Reaper } from ${JSON.stringify(import.meta.resolve("./reaper.ts"))};
    const held = [];
    const fill = () => { for (;;) held.push(openSync("/dev/null", "r")); };
    try { fill(); } catch {}
    let said = "started";
    const stdio = ["ignore", held[0], held[1]];
    try { Reaper.start({ reaper_path: "/bin/true", argv: ["x"], cwd: "/", env: {}, stdio }); } catch (error) { said = error.message; }
    for (const fd of held) closeSync(fd);
    // An error that nobody takes would come in the next turn and end the process.
    setImmediate(() => console.log(said));`;
  const limited = 'ulimit -n 64; exec "$0" --input-type=module-typescript -e "$1"';
  const { stdout } = await run("bash", ["-c", limited, process.execPath, script]);
  assert.match(stdout, /descriptor/);
});
