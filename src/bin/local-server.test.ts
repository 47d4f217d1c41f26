import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Holder } from "../contract/api.ts";
import { createLocalServer } from "./local-server.ts";
import { readOrMakeToken, readSettings } from "./settings.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-bin-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a server that was killed leaves a file behind, but whoever has its port and pid now is not taken for it", async (t) => {
  const data = await folder(t);
  const foreign = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  t.after(async () => {
    if (foreign.exitCode !== null || foreign.signalCode !== null) return;
    foreign.kill("SIGKILL");
    await once(foreign, "exit");
  });
  const other = createServer((_, answer) => answer.end("{}")).listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const holder: Holder = {
    url: `http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    pid: foreign.pid ?? 0,
    version: "0.1.0",
    started_at: new Date().toISOString(),
    background: true,
    providers: [],
  };
  await writeFile(join(data, "holder.json"), JSON.stringify(holder));
  const local = createLocalServer(readSettings({ HOME: data, SEALWORK_DATA: data }));
  assert.equal(await local.find(), null);
  assert.deepEqual(await local.stop(AbortSignal.timeout(5_000)), { stopped: false, pid: null });
  assert.equal(foreign.signalCode, null);
});

test("a token that was cut short by a full disk is made anew, and a whole one stays", async (t) => {
  const data = await folder(t);
  await writeFile(join(data, "token"), "");
  const token = readOrMakeToken(data);
  assert.match(token, /^swt_[\w-]{32}$/);
  assert.equal((await stat(join(data, "token"))).mode & 0o777, 0o600);
  assert.equal(readOrMakeToken(data), token);
});
