import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { AppError } from "../../contract/errors.ts";
import { ENDED, onFollow, output, STEP, world, zipOf } from "../cli-world.fake.ts";
import { fail } from "../fake-server.fake.ts";
import { runFake } from "../io.fake.ts";

test("run shows the steps, saves the ZIP and ends with 0; without a terminal there is no escape code", async (t) => {
  const { server, cwd, io } = await world(t);
  await writeFile(path.join(cwd, "Sales report.md"), "```sh\necho hi\n```\n");
  const zip = await zipOf({ "report.html": "<p>", ".sealwork/result.json": "{}" });
  onFollow(server, (id) => {
    server.emit(id, STEP, output("hi\nthe \x1b]0;title\x07re\n"), ENDED);
    server.end(id, {}, zip);
  });
  const done = await runFake(io(), ["run", "Sales report.md"]);
  assert.equal(done.err(), "");
  assert.equal(done.code(), 0);
  assert.match(done.out(), /1 shell echo hi\n {2}│ hi\n {2}│ the re\n {2}✓ 1.2 s\n/);
  assert.match(done.out(), /✓ complete in 1.5 s\n/);
  assert.match(done.out(), /sales-report-a1b2c3d4\.zip.*1 file\)\n {2}report.html 3 B\n/);
  assert.doesNotMatch(done.out(), /[\x1b\r]/);
  assert.deepEqual((await readdir(cwd)).sort(), ["Sales report.md", "sales-report-a1b2c3d4.zip"]);
  const scheduled = server.received.find((request) => request.path === "/schedule");
  assert.deepEqual(JSON.parse(String(scheduled?.body)), { prompt: "```sh\necho hi\n```\n" });
  assert.match(String(scheduled?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
});

test("on a terminal the status line comes and goes, rows fit its width, and NO_COLOR leaves no colour", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  const process_io = io({ terminal: true, columns: 40, env: { NO_COLOR: "1" } });
  onFollow(server, (id) => {
    server.emit(id, { type: "phase.changed", data: { phase: "working", status: "running" } }, STEP);
    server.emit(id, output(`${"wide ".repeat(20)}\n`), output("red \x1b[31mtext\x1b[2J without an end"));
    void process_io.saw("without an end").then(() => server.end(id, {}, zip));
  });
  await runFake(process_io, ["run", "do it"]);
  assert.equal(process_io.code(), 0);
  const shown = process_io.out();
  assert.deepEqual([...new Set(shown.match(/\x1b\[[0-9;?]*[a-zA-Z]/g))].sort(), ["\x1b[1A", "\x1b[2K"]);
  const rows = shown.split("\n").map((row) => row.replace(/\x1b\[[0-9;]*[a-zA-Z]|\r/g, ""));
  const gutters = rows.filter((row) => row.startsWith("  │ "));
  assert.ok(gutters.length >= 4 && gutters.every((row) => row.length < 40));
  assert.match(shown, /working · step 1 · 0 s/);
  assert.doesNotMatch(shown.slice(shown.indexOf("✓ complete")), /working|\x1b/);
});

test("what the server finds wrong with a task is shown field by field and ends with 2", async (t) => {
  const { server, io } = await world(t);
  const details = [{ loc: ["body", "limits", "cpus"], msg: "Too big", type: "too_big" }];
  server.intercept = (_request, answer) => {
    fail(answer, new AppError({ code: "invalid_request", message: "The request is not valid.", details }));
    return true;
  };
  const done = await runFake(io(), ["run", "do it"]);
  assert.equal(done.code(), 2);
  assert.match(done.err(), /body\.limits\.cpus: Too big/);
  const as_json = await runFake(io(), ["--json", "run", "do it"]);
  assert.equal(JSON.parse(as_json.out()).error.code, "invalid_request");
});

for (const [status, code, exit] of [
  ["error", "step_failed", 1],
  ["cancelled", "cancelled_by_user", 3],
  ["error", "timed_out", 4],
  ["error", "idle_timed_out", 4],
] as const) {
  test(`a job that ended as ${status} by ${code} gives exit code ${exit}, with reason, hint and ZIP`, async (t) => {
    const { server, cwd, io } = await world(t);
    const zip = await zipOf({ "part.txt": "x" });
    onFollow(server, (id) =>
      server.end(id, { status, reason: { code, message: "It was so.", hint: "Do this." } }, zip),
    );
    const done = await runFake(io(), ["run", "do it", "--out", "results"]);
    assert.equal(done.code(), exit);
    assert.match(done.out(), new RegExp(`${code}: It was so.\n {2}→ Do this.`));
    assert.deepEqual(await readdir(path.join(cwd, "results")), ["do-it-a1b2c3d4.zip"]);
  });
}

test("run --json prints the events as NDJSON and then the job with what was saved", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  onFollow(server, (id) => {
    server.emit(id, STEP, ENDED);
    server.end(id, {}, zip);
  });
  const done = await runFake(io(), ["run", "do it", "--json"]);
  const lines = done
    .out()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.slice(0, 3).map((line) => line.type),
    ["step.started", "step.ended", "job.ended"],
  );
  assert.equal(lines[3].status, "complete");
  assert.equal(lines[3].saved.size_bytes, zip.length);
});

test("an event stream that breaks goes on after the last event, each shown once", async (t) => {
  const { server, io } = await world(t);
  const zip = await zipOf({ a: "1" });
  let streams = 0;
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.includes("/events")) return false;
    streams += 1;
    const id = asked.split("/")[2] ?? "";
    if (streams === 1) {
      server.emit(id, STEP, output("first\n"));
      answer.on("pipe", () => {});
      setImmediate(() => answer.socket?.destroySoon());
      return false;
    }
    if (streams === 2) {
      server.emit(id, output("second\n"), ENDED);
      server.end(id, {}, zip);
    }
    return false;
  };
  const done = await runFake(io(), ["run", "do it"]);
  assert.equal(done.code(), 0);
  assert.equal(done.out().match(/first/g)?.length, 1);
  assert.equal(done.out().match(/second/g)?.length, 1);
  assert.match(done.err(), /connection lost/);
  assert.match(done.err(), /connected again/);
});

test("Ctrl-C once cancels the job and still saves what there is", async (t) => {
  const { server, cwd, io } = await world(t);
  const zip = await zipOf({ "part.txt": "x" });
  onFollow(server, (id) => server.emit(id, STEP, output("working\n")));
  server.on_cancel = (id) =>
    server.end(
      id,
      { status: "cancelled", reason: { code: "cancelled_by_user", message: "Cancelled.", hint: "Retry." } },
      zip,
    );
  const process_io = io();
  const running = runFake(process_io, ["run", "do it"]);
  await process_io.saw("working");
  process_io.interrupt();
  await running;
  assert.equal(process_io.code(), 3);
  assert.match(process_io.out(), /Cancelling; Ctrl-C again quits at once/);
  assert.equal((await readdir(cwd)).length, 1);
});

test("Ctrl-C twice quits at once with 130 and says how to get the work later", async (t) => {
  const { server, cwd, io } = await world(t);
  onFollow(server, (id) => server.emit(id, STEP, output("working\n")));
  const process_io = io();
  const running = runFake(process_io, ["run", "do it"]);
  await process_io.saw("working");
  process_io.interrupt();
  process_io.interrupt();
  await running;
  assert.equal(process_io.code(), 130);
  assert.match(process_io.err(), /sealwork download a1b2c3d4/);
  assert.deepEqual(await readdir(cwd), []);
});
