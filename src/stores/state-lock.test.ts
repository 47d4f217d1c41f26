import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Holder } from "../contract/api.ts";
import { lockState, readHolder } from "./state-lock.ts";

const HOLDER: Holder = {
  url: "http://127.0.0.1:8000",
  pid: process.pid,
  version: "0.1.0",
  started_at: "2026-05-01T10:00:00.000Z",
  background: false,
  providers: [],
};

describe("state lock, within one process", () => {
  it("makes the folder for its owner alone and says who holds it", async () => {
    await using folder = await temporaryFolder();
    const state = join(folder.path, "deep", "state");
    assert.equal(await readHolder(state), null);
    assert.equal(existsSync(state), false);
    await using _lock = await lockState(state, HOLDER);
    assert.deepEqual(await readHolder(state), HOLDER);
    assert.equal((await stat(state)).mode & 0o777, 0o700);
    assert.deepEqual((await readdir(state)).sort(), ["holder.json", "lock.db"]);
    for (const name of ["holder.json", "lock.db"]) {
      assert.equal((await stat(join(state, name))).mode & 0o777, 0o600, name);
    }
    assert.deepEqual(JSON.parse(await readFile(join(state, "holder.json"), "utf8")), HOLDER);
  });

  it("refuses a second one by name, and still holds after that", async () => {
    await using folder = await temporaryFolder();
    await using _lock = await lockState(folder.path, HOLDER);
    for (const _ of [1, 2]) {
      const second = lockState(folder.path, { ...HOLDER, url: "http://127.0.0.1:9999" });
      await assert.rejects(second, {
        name: "AppError",
        code: "state_locked",
        message: `The state folder ${folder.path} is held by the orchestrator at ${HOLDER.url} (pid ${HOLDER.pid}, version 0.1.0).`,
      });
    }
    assert.deepEqual(await readHolder(folder.path), HOLDER);
  });

  it("says anew who holds it after an update", async () => {
    await using folder = await temporaryFolder();
    await using lock = await lockState(folder.path, HOLDER);
    const changed = { ...HOLDER, url: "http://127.0.0.1:43210", background: true };
    await lock.update(changed);
    assert.deepEqual(await readHolder(folder.path), changed);
    assert.deepEqual((await readdir(folder.path)).sort(), ["holder.json", "lock.db"]);
  });

  it("is free after release, and releasing twice does not touch the successor", async () => {
    await using folder = await temporaryFolder();
    const lock = await lockState(folder.path, HOLDER);
    await lock[Symbol.asyncDispose]();
    assert.equal(await readHolder(folder.path), null);
    assert.equal(existsSync(join(folder.path, "holder.json")), false);
    const successor = { ...HOLDER, version: "0.2.0" };
    await using _next = await lockState(folder.path, successor);
    await lock[Symbol.asyncDispose]();
    assert.deepEqual(await readHolder(folder.path), successor);
    assert.throws(() => lock.update(HOLDER), /released/);
  });

  it("takes a file that says something else for no holder", async () => {
    await using folder = await temporaryFolder();
    await using _lock = await lockState(folder.path, HOLDER);
    for (const content of ["", "{", "[]", '{"pid": 1}']) {
      await writeFile(join(folder.path, "holder.json"), content);
      assert.equal(await readHolder(folder.path), null);
      await assert.rejects(lockState(folder.path, HOLDER), {
        code: "state_locked",
        message: /just starting/,
      });
    }
  });
});

describe("state lock, between processes", { timeout: 60_000 }, () => {
  it("refuses this process while another one holds the folder, and tells its pid", async () => {
    await using folder = await temporaryFolder();
    await using child = await holdInChild(folder.path);
    assert.equal((await readHolder(folder.path))?.pid, child.pid);
    await assert.rejects(lockState(folder.path, HOLDER), {
      code: "state_locked",
      message: new RegExp(`http://127\\.0\\.0\\.1:1 \\(pid ${child.pid}, version 9\\.9\\.9\\)`),
    });
  });

  it("refuses another process while this one holds the folder, also after this one has read it", async () => {
    await using folder = await temporaryFolder();
    await using _lock = await lockState(folder.path, HOLDER);
    // A process that closes a file loses the kernel's locks on it (POSIX), so reading must not close what holds them.
    assert.deepEqual(await readHolder(folder.path), HOLDER);
    await assert.rejects(lockState(folder.path, HOLDER), { code: "state_locked" });
    await assert.rejects(holdInChild(folder.path), /state_locked/);
  });

  it("is free at once when its holder is killed, although the file still names it", async () => {
    await using folder = await temporaryFolder();
    await using child = await holdInChild(folder.path);
    await child.kill();
    assert.equal(JSON.parse(await readFile(join(folder.path, "holder.json"), "utf8")).pid, child.pid);
    assert.equal(await readHolder(folder.path), null);
    await using _lock = await lockState(folder.path, HOLDER);
    assert.deepEqual(await readHolder(folder.path), HOLDER);
  });

  it("is free when its holder is killed, although a child of the holder lives on", async () => {
    await using folder = await temporaryFolder();
    await using child = await holdInChild(folder.path, { grandchild: true });
    await child.kill();
    assert.doesNotThrow(() => process.kill(child.grandchild, 0));
    await using _lock = await lockState(folder.path, HOLDER);
    assert.deepEqual(await readHolder(folder.path), HOLDER);
  });

  it("goes to exactly one of several that start at the same moment", async () => {
    await using folder = await temporaryFolder();
    const tries = await Promise.allSettled([1, 2, 3, 4].map(() => holdInChild(folder.path)));
    const winners = tries.filter((attempt) => attempt.status === "fulfilled").map(({ value }) => value);
    try {
      assert.equal(winners.length, 1);
      assert.equal((await readHolder(folder.path))?.pid, winners[0]?.pid);
      for (const attempt of tries) {
        if (attempt.status === "rejected") assert.match(String(attempt.reason), /state_locked/);
      }
    } finally {
      await Promise.all(winners.map((winner) => winner[Symbol.asyncDispose]()));
    }
  });
});

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-lock-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Holds the folder until it is killed; with "grandchild" it also starts a process that outlives it, and prints that one's pid. */
const HOLDING = `
  import { spawn } from "node:child_process";
  import { lockState } from ${JSON.stringify(import.meta.resolve("./state-lock.ts"))};
  const [folder, grandchild] = process.argv.slice(1);
  const holder = { ...${JSON.stringify(HOLDER)}, url: "http://127.0.0.1:1", pid: process.pid, version: "9.9.9" };
  try {
    await lockState(folder, holder);
    const started = grandchild ? spawn("sleep", ["600"], { stdio: "ignore", detached: true }).pid : 0;
    process.stdout.write("held " + started + "\\n");
    setInterval(() => {}, 60_000);
  } catch (error) {
    process.stdout.write(error.code + "\\n");
  }
`;

type Holding = AsyncDisposable & { pid: number; grandchild: number; kill(): Promise<void> };

async function holdInChild(folder: string, options: { grandchild?: boolean } = {}): Promise<Holding> {
  const args = ["--input-type=module", "--eval", HOLDING, folder, options.grandchild ? "grandchild" : ""];
  // The limit ends a child that got the lock against all expectation, so that no broken test waits for it for ever.
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], timeout: 30_000 });
  const exited = once(child, "exit");
  const [line] = await once(child.stdout, "data");
  const [word, started] = String(line).trim().split(" ");
  if (word !== "held") {
    await exited;
    throw new Error(`The child did not get the lock: ${word}`);
  }
  const grandchild = Number(started);
  return {
    pid: child.pid ?? 0,
    grandchild,
    kill: () => kill(child, exited),
    async [Symbol.asyncDispose]() {
      await kill(child, exited);
      if (grandchild !== 0) process.kill(grandchild, "SIGKILL");
    },
  };
}

async function kill(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill("SIGKILL");
  await exited;
}
