import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { applyPatch } from "diff";
import { RUNNER_EVENTS, type RunnerEventBody } from "../contract/event.ts";
import { EVENT_MAX_BYTES } from "../contract/event-bounds.ts";
import { Blobs } from "./blobs.ts";
import type { ToolResult } from "./process/tool-processes.ts";
import { Steps } from "./steps.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sealwork-test-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const signal = new AbortController().signal;
const exited: ToolResult = { cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 1 };
const subject = { tool: "shell", title: "say it", code: "echo" } as const;

async function recorded(given: { first?: number; max_bytes?: number } = {}) {
  const home = await mkdtemp(join(folder, "steps-"));
  const blobs = new Blobs({ folder: home, ...(given.max_bytes ? { max_bytes: given.max_bytes } : {}) });
  const events: RunnerEventBody[] = [];
  const steps = new Steps({
    blobs,
    first: given.first ?? 0,
    async emit(body) {
      assert.ok(RUNNER_EVENTS[body.type].safeParse(body.data).success, JSON.stringify(body).slice(0, 500));
      assert.ok(Buffer.byteLength(JSON.stringify(body)) < EVENT_MAX_BYTES - 200, body.type);
      events.push(body);
    },
  });
  const kept = (sha256: string | null) => readFile(join(home, sha256 ?? "none"), "utf8");
  return { steps, events, kept };
}

test("steps are numbered on from those that the job has had, and their output ends before they do", async () => {
  const { steps, events } = await recorded({ first: 7 });
  const { step } = await steps.run(subject, signal, async (context) => {
    await context.output("stdout", Buffer.from("a"));
    await context.output("stdout", Buffer.from("b"));
    return exited;
  });
  assert.deepEqual([step, steps.last], [8, 8]);
  assert.deepEqual(
    events.map((event) => event.type),
    ["step.started", "step.output", "step.output", "step.ended"],
  );
});

test("two steps may be open at a time, and one that has ended says nothing more", async () => {
  const { steps, events } = await recorded();
  const first = await steps.begin(subject, signal);
  const second = await steps.begin(subject, signal);
  await first.end(exited);
  const count = events.length;
  await first.context.output("stdout", Buffer.from("late"));
  await first.context.display({ mime: "text/plain", content: Buffer.from("late"), text: "late" });
  await first.context.fileChanged("late", null, "late");
  await first.end(exited);
  assert.equal(events.length, count);
  await second.end({ ...exited, exit_code: 3 });
  const last = events.at(-1);
  assert.ok(last?.type === "step.ended" && !last.data.ok && last.data.step === 2);
});

test("what has any length is cut to an event's bounds, and kept whole as a blob", async () => {
  const { steps, events, kept } = await recorded();
  const long = "é\u0001\n".repeat(30_000);
  await steps.run({ tool: "python", title: long, code: long }, signal, async (context) => {
    await context.display({ mime: "x".repeat(500), content: Buffer.from(long), text: long });
    await context.fileChanged("a".repeat(9000), null, long);
    return { ...exited, signal: "S".repeat(90), message: long };
  });
  const [started, displayed, changed] = events;
  assert.ok(started?.type === "step.started" && (await kept(started.data.code_blob)) === long);
  assert.ok(displayed?.type === "step.displayed" && (await kept(displayed.data.blob)) === long);
  assert.ok(changed?.type === "file.changed" && (await kept(changed.data.blob)) === long);
  assert.ok((await kept(changed.data.diff_blob)).startsWith("--- /dev/null\n"));
});

test("a changed file comes with a diff that makes one content from the other", async () => {
  const { steps, events } = await recorded();
  const before = `${Array.from({ length: 60 }, (_, line) => `line ${line}`).join("\n")}\n`;
  const after = `${before.replace("line 30", "another")}no newline`;
  await steps.run(subject, signal, async (context) => {
    await context.fileChanged("f.txt", before, after);
    await context.fileChanged("new", null, after);
    await context.fileChanged("gone", before, null);
    await context.fileChanged("same", before, before);
    return exited;
  });
  const changes = events.flatMap((event) => (event.type === "file.changed" ? [event.data] : []));
  assert.deepEqual(
    changes.map((data) => data.change),
    ["modified", "created", "deleted"],
  );
  const [modified, created, deleted] = changes.map((data) => data.diff ?? "");
  assert.match(modified ?? "", /^--- a\/f.txt\n\+\+\+ b\/f.txt\n@@ /);
  assert.equal(applyPatch(before, modified ?? ""), after);
  assert.equal(applyPatch("", created ?? ""), after);
  assert.equal(applyPatch(before, deleted ?? ""), "");
});

test("texts that are no text, too large or too unlike have no diff, and are kept whole", async () => {
  const { steps, events, kept } = await recorded();
  const unlike = (seed: number) =>
    Array.from({ length: 100_000 }, (_, line) => `${(line * seed) % 99_991}`).join("\n");
  await steps.run(subject, signal, async (context) => {
    await context.fileChanged("binary", "a\0b", "a\0c");
    await context.fileChanged("large", "x\n".repeat(1_000_000), "y\n".repeat(1_000_000));
    await context.fileChanged("unlike", unlike(7919), unlike(104_729));
    return exited;
  });
  const changes = events.flatMap((event) => (event.type === "file.changed" ? [event.data] : []));
  assert.deepEqual(
    changes.map((data) => data.diff),
    [null, null, null],
  );
  assert.equal(await kept(changes[0]?.blob ?? null), "a\0c");
});

test("a step that shows things for ever, or more than the job may keep, is held to its bounds, which is said", async () => {
  const { steps, events } = await recorded({ max_bytes: 1000 });
  await steps.run(subject, signal, async (context) => {
    for (let i = 0; i < 150; i++)
      await context.display({ mime: "text/plain", content: Buffer.from(`${i}`.repeat(20)), text: null });
    return exited;
  });
  const shown = events.flatMap((event) => (event.type === "step.displayed" ? [event.data] : []));
  assert.equal(shown.length, 101);
  assert.match(shown.at(-1)?.text ?? "", /more than 100/);
  const limits = events.flatMap((event) => (event.type === "limit.reached" ? [event.data.limit] : []));
  assert.deepEqual(limits, ["blobs"]);
});

test("a step whose work throws is ended, and the error goes on", async () => {
  const { steps, events } = await recorded();
  await assert.rejects(
    steps.run(subject, signal, async () => {
      throw new Error("a bug");
    }),
    /a bug/,
  );
  assert.ok(events.at(-1)?.type === "step.ended");
});
