import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { world, zipOf } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";

test("a damaged ZIP is refused and leaves no file behind", async (t) => {
  const { server, cwd, io } = await world(t);
  const job = server.job();
  server.end(job.job_id, {}, await zipOf({ a: "1" }));
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.startsWith("/download")) return false;
    answer.setHeader("etag", `"${"0".repeat(64)}"`);
    answer.end("garbage");
    return true;
  };
  const done = await runFake(io(), ["download", "last"]);
  assert.equal(done.code(), 1);
  assert.match(done.err(), /arrived damaged/);
  assert.deepEqual(await readdir(cwd), []);
});

test("a transfer that breaks off goes on where it was", async (t) => {
  const { server, cwd, io } = await world(t);
  const job = server.job({ prompt: "# Big thing\n" });
  const zip = await zipOf({ a: "1".repeat(1000) });
  server.end(job.job_id, {}, zip);
  let broken = false;
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.startsWith("/download") || broken) return false;
    broken = true;
    answer.setHeader("content-length", zip.length);
    answer.setHeader("etag", `"once"`);
    answer.write(zip.subarray(0, 50), () => answer.socket?.end());
    return true;
  };
  const done = await runFake(io(), ["download", "a1b2c3d4", "--out", "here.zip", "--json"]);
  assert.equal(done.code(), 0);
  assert.deepEqual(await readFile(path.join(cwd, "here.zip")), zip);
  assert.ok(server.received.some((request) => request.headers.range === "bytes=50-"));
});

test("ids may be given by their end, and one that fits several jobs is refused", async (t) => {
  const { server, io } = await world(t);
  const first = server.job();
  server.job();
  const by_end = await runFake(io(), ["status", "0001a1b2c3d4", "--json"]);
  assert.equal(JSON.parse(by_end.out()).job_id, first.job_id);
  const several = await runFake(io(), ["status", "a1b2c3d4"]);
  assert.equal(several.code(), 2);
  assert.match(several.err(), /fits several jobs/);
  const none = await runFake(io(), ["status", "feed"]);
  assert.equal(none.code(), 1);
});

test("ls prints a table and gives its filters to the server", async (t) => {
  const { server, io } = await world(t);
  server.job({ prompt: "# A \x1b[31mred\x1b[0m task\nmore" });
  const done = await runFake(io(), [
    "ls",
    "--status",
    "running",
    "--label",
    "a=b",
    "--text",
    "red",
    "--limit",
    "7",
  ]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /^ID +STATUS +AGE +TOOK +TASK\na1b2c3d4 {2}▸ running .* A red task\n$/);
  assert.equal(server.received[0]?.path, "/jobs?limit=7&status=running&label=a%3Db&text=red");
});
