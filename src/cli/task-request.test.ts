import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { world } from "./cli-world.fake.ts";
import type { FakeServer } from "./fake-server.fake.ts";
import { runFake } from "./io.fake.ts";
import { zipEntries } from "./zip-contents.ts";

test("run takes a sentence or standard input, limits, variables and labels from the command line", async (t) => {
  const { server, io } = await world(t);
  const limits = [
    "--cpus",
    "1.5",
    "--memory",
    "2g",
    "--disk",
    "512m",
    "--pids",
    "64",
    "--timeout",
    "1h30m",
    "--idle-timeout",
    "90",
  ];
  const rest = [
    "--env",
    "A=1=2",
    "--env",
    "HERE",
    "--label",
    "team=x",
    "--priority",
    "-3",
    "--template",
    "t",
    "--agent",
    "script",
    "--model",
    "m",
    "--patch",
  ];
  const done = await runFake(io({ env: { HERE: "there" }, stdin: "from stdin\n" }), [
    "run",
    "--detach",
    "-",
    ...limits,
    ...rest,
  ]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /^[0-9a-f-]{36}\n$/);
  assert.match(done.err(), /sealwork watch/);
  assert.deepEqual(JSON.parse(String(server.received[0]?.body)), {
    prompt: "from stdin\n",
    template: "t",
    agent: "script",
    model: "m",
    priority: -3,
    limits: {
      cpus: 1.5,
      memory_bytes: 2 * 2 ** 30,
      disk_bytes: 512 * 2 ** 20,
      pids: 64,
      timeout_s: 5400,
      idle_timeout_s: 90,
    },
    env: { A: "1=2", HERE: "there" },
    labels: { team: "x" },
    patch: true,
  });
  const sentence = await runFake(io(), ["run", "-d", "--json", "Make a report"]);
  assert.equal(JSON.parse(sentence.out()).status, "running");
});

test("what a job may reach, spend and do unasked comes from the command line, and only what was given is sent", async (t) => {
  const { server, io } = await world(t);
  const argv = ["run", "-d", "Build it", "--allow", "API.example.org:8443", "--allow", "*.example.com"];
  const bounds = ["--egress", "allow", "--max-tokens", "200000", "--max-cost", "1.5", "--max-calls", "40"];
  const asking = ["--approve", "risky", "--approve-timeout", "5m", "--linger", "10m"];
  const done = await runFake(io(), [...argv, ...bounds, ...asking]);
  assert.equal(done.code(), 0, done.err());
  assert.deepEqual(JSON.parse(String(server.received[0]?.body)), {
    prompt: "Build it",
    egress: { policy: "allow", hosts: ["api.example.org:8443", "*.example.com"] },
    budget: { max_tokens: 200_000, max_cost_usd: 1.5, max_calls: 40 },
    approval: { policy: "risky", timeout_s: 300 },
    linger_s: 600,
  });
  await runFake(io(), ["run", "-d", "Build it", "--allow", "example.org"]);
  assert.deepEqual(JSON.parse(String(server.received[1]?.body)), {
    prompt: "Build it",
    egress: { hosts: ["example.org"] },
  });
});

test("run --dir sends what git tracks and does not ignore, as it is now, after the job itself", async (t) => {
  const { server, cwd, io } = await world(t);
  const project = path.join(cwd, "project");
  await mkdir(path.join(project, "sub"), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: project });
  git("init", "-q");
  for (const name of ["tracked.txt", "deleted.txt", "sub/in.txt", "run.sh"])
    await writeFile(path.join(project, name), "old\n");
  await writeFile(path.join(project, ".gitignore"), "ignored/\n");
  git("add", "-A");
  git("commit", "-qm", "begin");
  await writeFile(path.join(project, "tracked.txt"), "new\n");
  await rm(path.join(project, "deleted.txt"));
  await chmod(path.join(project, "run.sh"), 0o755);
  await mkdir(path.join(project, "ignored"));
  await writeFile(path.join(project, "ignored/x"), "x");
  await writeFile(path.join(project, "untracked ü.txt"), "u");
  await symlink("tracked.txt", path.join(project, "link"));
  await symlink("/etc/passwd", path.join(project, "outside"));
  await mkdir(path.join(project, "nested"));
  execFileSync("git", ["init", "-q"], { cwd: path.join(project, "nested") });

  const done = await runFake(io(), [
    "run",
    "do it",
    "--dir",
    "project",
    "--file",
    "project/tracked.txt=extra/t.txt",
    "-d",
  ]);
  assert.equal(done.code(), 0, done.err());
  assert.match(done.err(), /left out outside: a link that leaves the folder/);
  assert.match(done.err(), /left out nested: a repository of its own/);
  const parts = await partsOf(server);
  assert.deepEqual(
    parts.map((part) => [part.name, part.filename]),
    [
      ["job", null],
      ["archive", "workspace.zip"],
      ["files", "extra/t.txt"],
    ],
  );
  assert.deepEqual(JSON.parse(String(parts[0]?.body)), { prompt: "do it", patch: true });
  const entries = await unzipped(cwd, parts[1]?.body ?? Buffer.alloc(0));
  assert.deepEqual(
    Object.keys(entries).sort(),
    [".gitignore", "link", "run.sh", "sub/in.txt", "tracked.txt", "untracked ü.txt"].sort(),
  );
  assert.deepEqual(entries["tracked.txt"], { mode: 0o100644, text: "new\n" });
  assert.deepEqual(entries["run.sh"], { mode: 0o100755, text: "old\n" });
  assert.deepEqual(entries.link, { mode: 0o120777, text: "tracked.txt" });

  await runFake(io(), ["run", "do it", "--dir", "project/sub", "-d"]);
  const sub = await unzipped(cwd, (await partsOf(server))[1]?.body ?? Buffer.alloc(0));
  assert.deepEqual(Object.keys(sub), ["in.txt"]);
});

test("run --dir outside a repository leaves out what tools make", async (t) => {
  const { server, cwd, io } = await world(t);
  for (const name of [
    "node_modules/x/a.js",
    ".venv/bin/p",
    "src/__pycache__/c",
    "src/main.py",
    ".env.example",
  ]) {
    await mkdir(path.join(cwd, path.dirname(name)), { recursive: true });
    await writeFile(path.join(cwd, name), "x");
  }
  const done = await runFake(io(), ["run", "do it", "--dir", ".", "-d"]);
  assert.equal(done.code(), 0, done.err());
  const entries = await unzipped(cwd, (await partsOf(server))[1]?.body ?? Buffer.alloc(0));
  assert.deepEqual(Object.keys(entries).sort(), [".env.example", "src/main.py"]);
});

type SentPart = { name: string | null; filename: string | null; body: Buffer };

/** The parts of the last upload, taken apart by Node's own reader. */
async function partsOf(server: FakeServer): Promise<SentPart[]> {
  const upload = server.received.findLast((request) => request.path === "/schedule");
  const headers = { "content-type": String(upload?.headers["content-type"]) };
  const form = await new Response(new Uint8Array(upload?.body ?? []), { headers }).formData();
  const parts: SentPart[] = [];
  for (const [name, value] of form) {
    if (typeof value === "string") parts.push({ name, filename: null, body: Buffer.from(value) });
    else parts.push({ name, filename: value.name, body: Buffer.from(await value.arrayBuffer()) });
  }
  return parts;
}

async function unzipped(
  folder: string,
  zip: Buffer,
): Promise<Record<string, { mode: number; text: string }>> {
  const file = path.join(folder, "sent.zip");
  const stream = createWriteStream(file);
  await new Promise<void>((resolve) => stream.end(zip, () => resolve()));
  const entries: Record<string, { mode: number; text: string }> = {};
  for await (const entry of zipEntries(file)) {
    entries[entry.path] = { mode: entry.mode, text: (await buffer(await entry.open())).toString("utf8") };
  }
  await rm(file);
  return entries;
}
