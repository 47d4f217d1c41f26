import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RECORDING_MAX_BYTES, Recording } from "./recording.ts";

async function open(t: TestContext): Promise<{ recording: Recording; file: string }> {
  const workspace = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  t.after(() => rm(workspace, { recursive: true, force: true }));
  const env = { TERM: "xterm-256color", SHELL: "/bin/bash" };
  const size = { columns: 80, rows: 24 };
  const recording = await Recording.open({ workspace, id: "abc", size, command: "bash -l", env });
  return { recording, file: join(workspace, ".sealwork/terminals/abc.cast") };
}

test("output that is cut in the middle of characters is recorded as whole ones, and sizes and the exit between", async (t) => {
  const { recording, file } = await open(t);
  for (const byte of Buffer.from("gr\u00fc\u00df\u{1f600}\r\n")) await recording.output(Buffer.of(byte));
  recording.resize({ columns: 100, rows: 30 });
  await recording.output(Buffer.from("end"));
  await recording.end(3);
  const [head, ...events] = (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { timestamp, ...known } = head;
  assert.ok(Number.isInteger(timestamp));
  assert.deepEqual(known, {
    version: 3,
    term: { cols: 80, rows: 24, type: "xterm-256color" },
    command: "bash -l",
    env: { SHELL: "/bin/bash" },
  });
  const texts = events.filter(([, code]) => code === "o").map(([, , text]) => text);
  assert.equal(texts.join(""), "gr\u00fc\u00df\u{1f600}\r\nend");
  assert.ok(texts.every((text) => text.isWellFormed() && !text.includes("\ufffd")));
  assert.deepEqual(
    events.filter(([, code]) => code !== "o").map(([, ...event]) => event),
    [
      ["r", "100x30"],
      ["x", "3"],
    ],
  );
});

test("a recording ends at its limit, and says so", async (t) => {
  const { recording, file } = await open(t);
  const chunk = Buffer.alloc(64 * 1024, "y\r\n");
  for (let bytes = 0; bytes < 2 * RECORDING_MAX_BYTES; bytes += chunk.length) await recording.output(chunk);
  await recording.end(0);
  const { size } = await stat(file);
  assert.ok(size <= RECORDING_MAX_BYTES && size > RECORDING_MAX_BYTES - 256 * 1024, `${size} bytes`);
  const last = (await readFile(file, "utf8")).trimEnd().split("\n").at(-1) ?? "";
  assert.match(last, /"m","The recording ends here/);
});

test("a terminal whose recording cannot be written is refused", async (t) => {
  const { recording, file } = await open(t);
  const again = {
    workspace: join(file, "../../.."),
    id: "abc",
    size: { columns: 1, rows: 1 },
    command: "",
    env: {},
  };
  await assert.rejects(Recording.open(again), { code: "conflict" });
  await recording.end(0);
});
