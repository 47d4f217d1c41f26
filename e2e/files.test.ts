import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import type { FileList } from "../src/contract/link-answers.ts";
import { readZip, run, script, TestOrchestrator } from "./harness.ts";

const MiB = 1024 * 1024;
const LARGE_BYTES = 1024 * MiB;
/** How much a process may grow while LARGE_BYTES pass through it. */
const GROWTH_MAX_BYTES = 160 * MiB;
const NAMES = ["plain.txt", "with space", "täglich/ü 例 📦.csv", "line\nfeed", "-rf", "a%2fb", "dot./..x"];

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

const inUrl = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/** A job at work, whose block prints `ready` when it has done its part and then only waits. */
async function atWork(block: string, limits: Record<string, number> = {}): Promise<string> {
  const job_id = await orchestrator.schedule({
    prompt: script(`${block}\necho ready\nsleep 1000`),
    limits,
  });
  await orchestrator.untilPrinted(job_id, "ready");
  return job_id;
}

async function end(job_id: string): Promise<void> {
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
}

async function call(job_id: string, method: string, path: string, body?: string | Buffer) {
  const headers = method === "PATCH" ? { "content-type": "application/json" } : {};
  const init = {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : new Uint8Array(body) }),
  };
  const answer = await orchestrator.fetch(`/jobs/${job_id}${path}`, init);
  return { status: answer.status, content: Buffer.from(await answer.arrayBuffer()) };
}

async function list(job_id: string, query = ""): Promise<string[]> {
  const { status, content } = await call(job_id, "GET", `/files${query}`);
  assert.equal(status, 200, String(content));
  const { entries }: FileList = JSON.parse(String(content));
  return entries.map(({ path }) => path);
}

/** Sends a body as it comes, which fetch does not do without holding up the answer. */
async function put(
  job_id: string,
  path: string,
  content: Readable,
): Promise<{ status: number; text: string }> {
  const url = new URL(`/jobs/${job_id}/files/${path}`, orchestrator.url);
  const headers = { authorization: `Bearer ${orchestrator.token}` };
  const sending = request(url, { method: "PUT", headers });
  const answered = once(sending, "response");
  // The content may fail first, and says so itself.
  answered.catch(() => undefined);
  await pipeline(content, sending);
  const [answer] = await answered;
  return { status: answer.statusCode, text: String(Buffer.concat(await answer.toArray())) };
}

function* pieces(bytes: number): Generator<Buffer> {
  const piece = randomBytes(MiB);
  for (let left = bytes; left > 0; left -= piece.length)
    yield piece.subarray(0, Math.min(left, piece.length));
}

test("bytes and names come back as they were sent, in the API, in the sandbox, and from the ZIP when the job has ended", async () => {
  const job_id = await atWork("mkdir made; printf made > made/here; chmod 750 made/here");
  const contents = new Map(NAMES.map((name, index) => [name, randomBytes(index * 40_000)]));
  for (const [name, content] of contents) {
    const { status } = await call(job_id, "PUT", `/files/${inUrl(name)}`, content);
    assert.equal(status, 201, name);
  }
  for (const [name, content] of contents) {
    const read = await call(job_id, "GET", `/files/${inUrl(name)}`);
    assert.deepEqual([read.status, read.content.equals(content)], [200, true], name);
  }
  assert.equal((await call(job_id, "PUT", "/files/made/here", "changed")).status, 200);
  const { content: part } = await call(job_id, "GET", "/files/made/here");
  assert.equal(String(part), "changed");
  const ranged = await orchestrator.fetch(`/jobs/${job_id}/files/made/here`, {
    headers: { range: "bytes=2-4" },
  });
  assert.deepEqual([ranged.status, await ranged.text()], [206, "ang"]);
  const home = await call(job_id, "PUT", "/files/notes/mine?root=home", "home");
  assert.equal(home.status, 201);
  assert.ok((await list(job_id, "?root=home")).includes("notes"));
  assert.deepEqual(await list(job_id, "?root=home&path=notes"), ["notes/mine"]);

  assert.equal((await call(job_id, "PATCH", "/files/plain.txt", '{"path":"moved/plain.txt"}')).status, 200);
  assert.equal((await call(job_id, "DELETE", "/files/moved")).status, 409);
  assert.equal((await call(job_id, "DELETE", "/files/moved?recursive")).status, 204);
  assert.equal((await call(job_id, "PUT", "/folders/empty/deep")).status, 200);

  const zip = await readZip((await call(job_id, "GET", "/archive?path=made")).content);
  assert.deepEqual(
    [String(zip.get("here")?.content), (zip.get("here")?.mode ?? 0) & 0o777],
    ["changed", 0o750],
  );

  await end(job_id);
  const name = "täglich/ü 例 📦.csv";
  const kept = await call(job_id, "GET", `/files/${inUrl(name)}`);
  assert.deepEqual([kept.status, kept.content.equals(contents.get(name) ?? Buffer.alloc(0))], [200, true]);
  const folder = await readZip((await call(job_id, "GET", "/archive?path=made")).content);
  assert.equal(String(folder.get("here")?.content), "changed");
  for (const [method, path, body] of [
    ["PUT", "/files/late", "x"],
    ["PUT", "/folders/late", undefined],
    ["PUT", "/archive?path=late", "x"],
    ["PATCH", "/files/made", '{"path":"x"}'],
    ["DELETE", "/files/made?recursive", undefined],
  ] as const) {
    const late = await call(job_id, method, path, body);
    assert.match(`${late.status} ${late.content}`, /^409 .*has ended/, `${method} ${path}`);
  }
  const lost = await call(job_id, "GET", "/files?root=home");
  assert.match(`${lost.status} ${lost.content}`, /^404 .*only the workspace was kept/);
});

test("no symlink leads out of a root, to the kernel's files, the link or what the runner keeps", async () => {
  const job_id = await atWork(
    "ln -s /proc/self/environ environ; ln -s /proc/self proc; ln -s /run/sealwork link; ln -s /opt opt; ln -s /etc/hostname name; ln -s .. up; " +
      "ln -s ~/.sealwork own; ln -s /dev/zero zero; mkfifo fifo; mkdir sub; ln -s ../../../../etc sub/etc; ln -s .sealwork ~/hidden",
  );
  const lead_out = [
    "environ",
    "proc/environ",
    "proc/root/etc/hostname",
    "link/control",
    "opt/sealwork/runner.mjs",
    "name",
    "up/.sealwork",
    "own",
    "zero",
    "sub/etc/hostname",
  ];
  for (const path of lead_out)
    for (const [method, body] of [
      ["GET", undefined],
      ["PUT", "x"],
      ["DELETE", undefined],
    ] as const) {
      // A symlink itself may be taken away; what it leads to may not.
      if (method === "DELETE" && !path.includes("/")) continue;
      const { status, content } = await call(job_id, method, `/files/${path}`, body);
      const expected = method === "PUT" && !path.includes("/") ? 409 : 400;
      assert.deepEqual([method, path, status], [method, path, expected], String(content).slice(0, 200));
    }
  for (const path of ["hidden", ".sealwork"]) {
    assert.equal((await call(job_id, "GET", `/files?root=home&path=${path}`)).status, 400, path);
    assert.equal((await call(job_id, "PUT", `/files/${path}/x?root=home`, "x")).status, 400, path);
  }
  assert.equal((await call(job_id, "GET", "/files/fifo")).status, 404);
  assert.equal((await call(job_id, "PUT", "/files/.sealwork/x", "x")).status, 400);
  await end(job_id);
});

test("a folder that a job swaps for a symlink all the time is never read through it", async () => {
  const swap = `
const fs = require("fs");
fs.mkdirSync("real"); fs.writeFileSync("real/hostname", "inside"); fs.symlinkSync("/etc", "bad"); fs.symlinkSync("real", "swap");
let n = 0;
for (;;) { fs.renameSync(n % 2 ? "bad" : "real", "x"); fs.renameSync("x", "place"); if (n === 0) console.log("ready"); fs.renameSync("place", n % 2 ? "bad" : "real"); n++; }`;
  const job_id = await orchestrator.schedule({ prompt: `\`\`\`js\n${swap}\n\`\`\`` });
  await orchestrator.untilPrinted(job_id, "ready");
  const seen = new Map<string, number>();
  for (let round = 0; round < 300 || (!seen.has("inside") && round < 5_000); round += 1) {
    const { status, content } = await call(job_id, "GET", "/files/place/hostname");
    const what = status === 200 ? String(content) : String(status);
    seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  for (const what of seen.keys())
    assert.ok(["inside", "400", "404", "409"].includes(what), `${[...seen].join(" ")}`);
  assert.ok((seen.get("inside") ?? 0) > 0, `it was read sometimes: ${[...seen].join(" ")}`);
  await end(job_id);
});

test("an upload that is cut leaves nothing behind, and what was there whole", async () => {
  const job_id = await atWork("printf whole > file");
  const url = new URL(`/jobs/${job_id}/files/file`, orchestrator.url);
  const headers = { authorization: `Bearer ${orchestrator.token}`, "content-length": 50 * MiB };
  const sending = request(url, { method: "PUT", headers });
  sending.on("error", () => undefined);
  sending.write(Buffer.alloc(20 * MiB, 1));
  while (!(await list(job_id)).some((path) => path.endsWith(".unfinished")));
  sending.destroy();
  while ((await list(job_id)).some((path) => path.endsWith(".unfinished")));
  assert.deepEqual(await list(job_id), ["file"]);
  assert.equal(String((await call(job_id, "GET", "/files/file")).content), "whole");
  await end(job_id);
});

test("a job that is cancelled in the middle of an upload packs what was there, and nothing of the upload", async () => {
  const job_id = await atWork("printf whole > file");
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      yield Buffer.alloc(MiB, 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const sent = put(job_id, "file", Readable.from(endless())).catch(() => null);
  while (!(await list(job_id)).some((path) => path.endsWith(".unfinished")));
  await end(job_id);
  await sent;
  const files = await orchestrator.zip(job_id);
  assert.deepEqual(
    [...files.keys()].filter((name) => !name.startsWith(".sealwork/")),
    ["file"],
  );
  assert.equal(String(files.get("file")?.content), "whole");
});

test("what does not fit into the job's disk is refused, and the job goes on", async () => {
  const job_id = await atWork("head -c 10000000 /dev/zero > some", { disk_bytes: 64 * MiB });
  const { status, text } = await put(job_id, "large", Readable.from(pieces(80 * MiB)));
  assert.match(`${status} ${text}`, /^507 .*disk_full/);
  assert.deepEqual(await list(job_id), ["some"]);
  assert.equal((await put(job_id, "small", Readable.from(pieces(20 * MiB)))).status, 201);
  assert.equal((await orchestrator.job(job_id)).status, "running");
  await end(job_id);
});

test("what steps change in the workspace is told: once where a step tells it itself, and bounded for a burst", async () => {
  const file = "```text file=made/by-step.txt\nby step\n```";
  const shell = script(
    "mkdir -p a/b; echo 1 > a/b/c; sleep 2; echo 22 > a/b/c; sleep 2; rm a/b/c; mkdir -p node_modules/x; touch node_modules/x/y; sleep 2",
    "mkdir many; cd many; for i in $(seq 3000); do echo $i > $i; done",
  );
  const job_id = await orchestrator.schedule({ prompt: `${file}\n\n${shell}` });
  await orchestrator.ended(job_id);
  const events = await orchestrator.allEvents(job_id);
  const told = events.flatMap((event) =>
    event.type === "file.changed" ? [`${event.data.change} ${event.data.path} ${event.data.size_bytes}`] : [],
  );
  const few = told.filter((line) => !line.includes("many/"));
  assert.deepEqual(few, [
    "created made/by-step.txt 8",
    "created a/b/c 2",
    "modified a/b/c 3",
    "deleted a/b/c 0",
  ]);
  assert.ok(told.length > few.length && told.length < 1_100, `${told.length} were told`);
  const limits = events.filter((event) => event.type === "limit.reached");
  assert.equal(limits.length, 1, JSON.stringify(limits));
});

test("several writers of one file leave one of their contents whole", async () => {
  const job_id = await atWork("true");
  const contents = Array.from({ length: 6 }, (_, n) => Buffer.alloc(3 * MiB, n));
  const answers = await Promise.all(contents.map((content) => call(job_id, "PUT", "/files/same", content)));
  assert.ok(answers.every(({ status }) => status === 200 || status === 201));
  const { content } = await call(job_id, "GET", "/files/same");
  assert.ok(contents.some((one) => one.equals(content)));
  assert.deepEqual(await list(job_id), ["same"]);
  await end(job_id);
});

test("a gigabyte goes in and comes out with the memory of orchestrator and runner as it was", async () => {
  const job_id = await atWork("true", { disk_bytes: 4096 * MiB });
  const [container = ""] = await orchestrator.containers(job_id);
  const { stdout } = await run("docker", ["inspect", "-f", "{{.State.Pid}}", container]);
  const pids = { orchestrator: orchestrator.pid, runner: Number(stdout) };
  // The first bytes load code, which is no growth by size.
  await put(job_id, "small", Readable.from(pieces(32 * MiB)));
  await download(job_id, "small");
  const before = { orchestrator: await peak(pids.orchestrator), runner: await peak(pids.runner) };
  const sent = createHash("sha256");
  async function* hashed(): AsyncGenerator<Buffer> {
    for (const piece of pieces(LARGE_BYTES)) {
      sent.update(piece);
      yield piece;
    }
  }
  const { status, text } = await put(job_id, "large", Readable.from(hashed()));
  assert.equal(status, 201, text);
  assert.equal(await download(job_id, "large"), sent.digest("hex"));
  for (const name of ["orchestrator", "runner"] as const) {
    const grown = (await peak(pids[name])) - before[name];
    assert.ok(grown < GROWTH_MAX_BYTES, `the ${name} grew by ${Math.round(grown / MiB)} MiB`);
  }
  await end(job_id);
});

async function download(job_id: string, path: string): Promise<string> {
  const answer = await orchestrator.fetch(`/jobs/${job_id}/files/${path}`);
  assert.equal(answer.status, 200);
  const hash = createHash("sha256");
  for await (const chunk of answer.body ?? []) hash.update(chunk);
  return hash.digest("hex");
}

/** The largest resident memory that a process has had, in bytes. */
async function peak(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1]) * 1024;
}
