import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { appendFile, mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunnerEventBody } from "../../contract/event.ts";
import { FileNews } from "./file-news.ts";
import { FileWatch } from "./files.ts";

/** A workspace, and what was told of it. */
class Place {
  readonly #told = new EventEmitter();
  readonly workspace: string;
  readonly lines: string[] = [];
  readonly limits: string[] = [];

  private constructor(workspace: string) {
    this.workspace = workspace;
  }

  static async open(t: TestContext): Promise<Place> {
    const workspace = await mkdtemp(join(tmpdir(), "sealwork-watch-"));
    t.after(() => rm(workspace, { recursive: true }));
    return new Place(workspace);
  }

  readonly emit = async (body: RunnerEventBody): Promise<void> => {
    if (body.type === "file.changed")
      this.lines.push(`${body.data.change} ${body.data.path} ${body.data.size_bytes}`);
    if (body.type === "limit.reached") this.limits.push(body.data.limit);
    this.#told.emit("told");
  };

  write = (path: string, content = "x") => writeFile(join(this.workspace, path), content);

  async until(line: string): Promise<void> {
    const signal = AbortSignal.timeout(20_000);
    while (!this.lines.includes(line)) await once(this.#told, "told", { signal });
  }
}

/** The kernel's clock for files moves in steps of up to 10 ms. */
function clockStep(): void {
  const begun = Date.now();
  while (Date.now() <= begun + 12);
}

test("what is made, changed, moved and removed is told once, with its size; in new folders too", async (t) => {
  const place = await Place.open(t);
  await place.write("before");
  await using _files = await FileWatch.open({ ...place, since_ms: Date.now() + 60_000 });
  await place.write("a", "12345");
  await mkdir(join(place.workspace, "new/deep/er"), { recursive: true });
  await place.write("new/deep/er/b", "1");
  await place.until("created a 5");
  await place.until("created new/deep/er/b 1");
  for (let n = 0; n < 50; n += 1) await appendFile(join(place.workspace, "a"), "6");
  await place.write("new/deep/er/c");
  await place.until("modified a 55");
  await place.until("created new/deep/er/c 1");
  await rename(join(place.workspace, "new"), join(place.workspace, "moved"));
  await rm(join(place.workspace, "before"));
  await place.until("deleted new/deep/er/b 0");
  await place.until("created moved/deep/er/c 1");
  await place.until("deleted before 0");
  assert.equal(place.lines.filter((line) => line.startsWith("modified a")).length, 1, place.lines.join("\n"));
  assert.equal(new Set(place.lines).size, place.lines.length, place.lines.join("\n"));
});

test("what tools make for themselves, and what is not whole yet, is not told", async (t) => {
  const place = await Place.open(t);
  await using files = await FileWatch.open({ ...place, since_ms: 0 });
  for (const folder of ["node_modules/x", ".git/objects", "__pycache__", ".sealwork"])
    await mkdir(join(place.workspace, folder), { recursive: true });
  await place.write("node_modules/x/index.js");
  await place.write(".git/objects/1");
  await place.write(".0123456789abcdef.unfinished");
  await place.write("seen");
  await place.until("created seen 1");
  await files.tellAll();
  assert.deepEqual(place.lines, ["created seen 1"]);
});

test("a burst of thousands of files is bounded in events, said once, and the next change is told again", async (t) => {
  const place = await Place.open(t);
  await using files = await FileWatch.open({ ...place, since_ms: 0 });
  await mkdir(join(place.workspace, "many"));
  await Promise.all(Array.from({ length: 5_000 }, (_, n) => place.write(`many/${n}`)));
  await files.tellAll();
  await files.tellAll();
  const after_burst = place.lines.length;
  assert.ok(after_burst <= 1_100, `${after_burst} events`);
  assert.deepEqual(place.limits, ["files"]);
  await place.write("many/17", "longer");
  await place.until("modified many/17 6");
});

test("more folders than are watched are said once, and cost no more", async (t) => {
  const place = await Place.open(t);
  for (let n = 0; n < 1_100; n += 1) await mkdir(join(place.workspace, `${n}`));
  await using files = await FileWatch.open({ ...place, since_ms: 0 });
  await files.tellAll();
  await files.tellAll();
  assert.deepEqual(place.limits, ["files"]);
});

test("what a step tells by itself is not told again, and a change after it is", async (t) => {
  const place = await Place.open(t);
  await using news = new FileNews(place);
  await news.emit({
    type: "step.started",
    data: { step: 1, tool: "shell", title: "", code: "", code_blob: null },
  });
  clockStep();
  await place.write("first");
  await place.until("created first 1");
  await place.write("by-step", "12");
  const data = {
    path: "by-step",
    change: "created",
    size_bytes: 2,
    blob: null,
    diff: null,
    diff_blob: null,
  } as const;
  await news.emit({ type: "file.changed", data });
  await mkdir(join(place.workspace, "new"));
  await place.write("new/by-step");
  await news.emit({ type: "file.changed", data: { ...data, path: "new/by-step", size_bytes: 1 } });
  await place.write("other");
  await place.until("created other 1");
  await place.write("by-step", "123");
  await place.until("modified by-step 3");
  assert.deepEqual(
    place.lines.filter((line) => line.includes("by-step")),
    ["created by-step 2", "created new/by-step 1", "modified by-step 3"],
  );
});

test("a job that is over before the watch begins is told at its end what its steps made, and not what was there before", async (t) => {
  const place = await Place.open(t);
  await place.write("sent");
  await utimes(join(place.workspace, "sent"), new Date(), new Date(Date.now() + 3_600_000));
  clockStep();
  {
    await using news = new FileNews(place);
    await news.emit({
      type: "step.started",
      data: { step: 1, tool: "shell", title: "", code: "", code_blob: null },
    });
    clockStep();
    await place.write("made", "123");
    await place.write("by-step", "12");
    const data = {
      path: "by-step",
      change: "created",
      size_bytes: 2,
      blob: null,
      diff: null,
      diff_blob: null,
    } as const;
    await news.emit({ type: "file.changed", data });
    assert.deepEqual(place.lines, ["created by-step 2"]);
  }
  assert.deepEqual(place.lines, ["created by-step 2", "created made 3"]);
});
