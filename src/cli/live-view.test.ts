import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event, EventBody } from "../contract/event.ts";
import { createFakeIo } from "./io.fake.ts";
import { createLiveView } from "./live-view.ts";

const JOB = "01890000-0000-7000-8000-0001a1b2c3d4";

/** What the view prints for these events of a job, without a terminal unless it has columns. */
async function shown(bodies: EventBody[], columns?: number): Promise<string> {
  const io = createFakeIo({
    cwd: "/",
    env: { NO_COLOR: "1" },
    ...(columns === undefined ? {} : { terminal: true, columns }),
  });
  const view = createLiveView(io);
  for (const [index, body] of bodies.entries()) {
    const event: Event = {
      ...body,
      seq: index + 1,
      cursor: index + 1,
      job_id: JOB,
      at: "2026-01-02T03:04:05.000Z",
    };
    await view.show(event);
  }
  await view.close();
  return io.out();
}

const NATIVE: EventBody = { type: "job.scheduled", data: { prompt: "x", agent: "native", template: "base" } };
const started = (step: number, tool: "shell" | "file", title: string): EventBody => ({
  type: "step.started",
  data: { step, tool, title, code: title, code_blob: null },
});
const ended = (step: number, more: object = {}): EventBody => ({
  type: "step.ended",
  data: {
    step,
    cause: "exited",
    exit_code: 0,
    signal: null,
    message: null,
    duration_ms: 12,
    ok: true,
    ...more,
  },
});
const plan = (...states: ("pending" | "active" | "done")[]): EventBody => ({
  type: "plan.made",
  data: {
    steps: states.map((state, index) => ({ title: `part ${index + 1}`, state })),
    files: [],
    checks: [{ title: "it builds", command: "make" }],
  },
});
const changed = (path: string, diff: string | null, more: object = {}): EventBody => ({
  type: "file.changed",
  data: { path, change: "modified", size_bytes: 2048, blob: null, diff, diff_blob: null, ...more },
});

test("a plan is shown whole once, afterwards only what is done; a new plan is shown again", async () => {
  const out = await shown([
    NATIVE,
    plan("active", "pending"),
    plan("done", "active"),
    plan("done", "active"),
    plan("done", "done"),
    plan("done", "done", "pending"),
  ]);
  assert.equal(
    out,
    [
      "plan",
      "  ▸ part 1",
      "  ○ part 2",
      "  check: it builds",
      "✓ 1/2 part 1",
      "✓ 2/2 part 2",
      "the plan now",
      "  ✓ part 1",
      "  ✓ part 2",
      "  ○ part 3",
      "  check: it builds",
      "",
    ].join("\n"),
  );
});

test("a plan of a thousand steps takes a few rows", async () => {
  const out = await shown([NATIVE, plan(...Array.from({ length: 1000 }, () => "pending" as const))]);
  assert.equal(out.split("\n").length, 1 + 15 + 1 + 1 + 1);
  assert.match(out, /… and 985 more\n/);
});

test("the plan of a script numbers its steps and is not shown; that of another agent counts no steps", async () => {
  const script: EventBody = {
    type: "job.scheduled",
    data: { prompt: "x", agent: "script", template: "base" },
  };
  const steps = [plan("pending", "pending"), started(1, "shell", "make"), ended(1)];
  assert.equal(await shown([script, ...steps]), "1/2 shell make\n  ✓ 12 ms\n");
  assert.match(await shown([NATIVE, ...steps]), /^1 shell make$/m);
});

test("a file that a step changed stands with its counts, on the step's own row when that names it", async () => {
  const diff = "--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d\n";
  const out = await shown([
    NATIVE,
    started(1, "file", "src/x.js"),
    changed("src/x.js", diff),
    ended(1),
    started(2, "shell", "make"),
    changed("out.bin", null, { change: "created" }),
    changed("long.txt", diff, { diff_blob: "0".repeat(64) }),
    changed("gone\x1b[2J.txt", null, { change: "deleted" }),
    ended(2),
  ]);
  assert.equal(
    out,
    [
      "1 file src/x.js +2 −1 ✓ 12 ms",
      "2 shell make",
      "  A out.bin 2 KiB",
      "  M long.txt +2… −1…",
      "  D gone.txt",
      "  ✓ 12 ms",
      "",
    ].join("\n"),
  );
});

test("what an agent says cannot pass for a line of ours: it is indented, broken and without control codes", async () => {
  const text = `Look:\n✓ complete in 1 s\n\x1b[2J${"x".repeat(50)}✓ complete`;
  const out = await shown([NATIVE, { type: "message.said", data: { from: "agent", text } }], 40);
  const rows = out.replaceAll(/\r|\x1b\[2K|\x1b\[1A/g, "").split("\n");
  assert.equal(rows[0], "agent: Look:");
  assert.equal(rows[1], "       ✓ complete in 1 s");
  assert.ok(
    rows.slice(1, 5).every((row) => row === "" || row.startsWith("       ") || row.startsWith(" queued")),
  );
  assert.ok(rows.every((row) => row.length <= 40));
  assert.doesNotMatch(out, /\x1b\[2J/);
});

test("a plot is named with the route that gives it, a value is shown as it is", async () => {
  const blob = "3".repeat(64);
  const out = await shown([
    NATIVE,
    { type: "step.displayed", data: { step: 1, mime: "image/png", blob, text: "<Figure 1>" } },
    { type: "step.displayed", data: { step: 1, mime: "text/plain", blob: null, text: "42" } },
  ]);
  assert.equal(out, `  ◆ image/png\n  │ <Figure 1>\n  → /jobs/${JOB}/blobs/${blob}\n  │ 42\n`);
});

test("refused connections say why, and how often", async () => {
  const denied = (rule: "policy" | "resolution", count: number): EventBody => ({
    type: "egress.denied",
    data: { host: "example.org", port: 443, rule, policy: "packages", count, message: "No." },
  });
  const out = await shown([
    NATIVE,
    denied("policy", 3),
    denied("resolution", 1),
    { type: "egress.opened", data: { host: "example.org", by: "approval" } },
  ]);
  assert.equal(
    out,
    [
      "! example.org:443 was not reached (3 times): No.",
      "! example.org:443 was not reached: No.",
      "+ example.org is open for this job: it was allowed",
      "",
    ].join("\n"),
  );
});

test("model calls run up tokens and cost in the status line; only one that failed gets a row", async () => {
  const called = (outcome: "ok" | "refused", more: object = {}): EventBody => ({
    type: "model.called",
    data: {
      provider: "google",
      model: "gemini-x",
      outcome,
      http_status: 200,
      attempts: 1,
      input_tokens: 12_000,
      cached_tokens: 0,
      output_tokens: 400,
      estimated: false,
      cost_usd: 0.02,
      duration_ms: 900,
      ...more,
    },
  });
  const events = [
    NATIVE,
    called("ok"),
    called("refused", { http_status: 429, attempts: 5, input_tokens: 0, output_tokens: 0, cost_usd: null }),
  ];
  assert.equal(await shown(events), "! google/gemini-x refused the call (HTTP 429) after 5 attempts\n");
  assert.match(await shown(events, 80), /queued · 0 s · 12\.4k tokens · \$0\.02/);
});

test("a question with a detail of thousands of lines takes a bounded number of rows", async () => {
  const detail = "line\n".repeat(1600);
  const out = await shown([
    NATIVE,
    { type: "approval.asked", data: { n: 1, kind: "step", title: "do it", detail, expires_at: null } },
    { type: "approval.given", data: { n: 1, decision: "deny", by: "timeout" } },
  ]);
  assert.equal(out.match(/ {2}│ line\n/g)?.length, 40);
  assert.match(
    out,
    /… and 1560 more rows: sealwork status a1b2c3d4 --json\n✗ Question 1: denied, as nobody answered in time\.\n$/,
  );
});
