import assert from "node:assert/strict";
import type { EventBody, StepTool } from "../src/contract/event.ts";
import { OUTPUT_CHUNK_MAX_BYTES } from "../src/contract/event-bounds.ts";
import { outputText } from "./big-job-output.ts";

/** `output_share` is how much of the events is output, 0.8 by default. */
export type BigJobSize = { events: number; output_bytes: number; output_share?: number };
/** An event of a story, and when it happens after the work began. */
export type Told = { at_ms: number; event: EventBody };
export type Pictures = { width: number; height: number; blobs: readonly string[] };

/** How long the work takes in the story. */
export const WORK_MS = 40 * 60_000;
const EVENTS_MIN = 289;
const STEPS_MAX = 480;
/** Events of a step beside its output; a step has room for all that may happen in it. */
const OTHERS_PER_STEP = 12;
/** Every so many steps somebody has to be asked, and the job waits for the answer most of its step. */
const ASKED_EVERY = 40;
const PLAN = [
  "Read the code and the sample files",
  "Profile the import",
  "Parse in one pass",
  "Write in batches",
  "Run every test",
  "Compare what is written",
  "Write report.md",
];
const FILES = [
  "src/importer/parse.py",
  "src/importer/batch.py",
  "tests/test_parse.py",
  "report.md",
  "bench/run.py",
];

type Action = { tool: StepTool; title: string; code: string };
const ACTIONS: readonly Action[] = [
  { tool: "shell", title: "python -m pytest -q tests", code: "python -m pytest -q tests" },
  {
    tool: "python",
    title: "import cProfile, pstats",
    code: "import cProfile, pstats\n\nprofile = cProfile.Profile()\nprofile.runcall(main, 'samples/large.csv')\npstats.Stats(profile).sort_stats('cumulative').print_stats(20)\n",
  },
  {
    tool: "file",
    title: "src/importer/parse.py",
    code: "def rows(path):\n    with open(path, newline='') as file:\n        yield from csv.reader(file)\n",
  },
  { tool: "shell", title: "pip install --upgrade pyarrow", code: "pip install --upgrade pyarrow" },
  {
    tool: "desktop",
    title: "Open the report in the browser",
    code: "open http://localhost:8080/report.html\nscreenshot\n",
  },
  { tool: "shell", title: "git diff --stat && ls -l build", code: "git diff --stat && \\\n  ls -l build" },
];

/** What the runner, the broker and people say in a job of just so many events, in order. Throws when the numbers do not fit together. */
export function* tellBigJob(size: BigJobSize, pictures: Pictures): Generator<Told> {
  const { events, output_bytes, output_share = 0.8 } = size;
  assert(events >= EVENTS_MIN, "A big job has 300 events at least.");
  const told = events - 4;
  const outputs = Math.min(Math.floor(told * output_share), told - 2 * OTHERS_PER_STEP);
  assert(
    output_bytes >= outputs && output_bytes <= outputs * OUTPUT_CHUNK_MAX_BYTES,
    `${outputs} events of output cannot have ${output_bytes} bytes.`,
  );
  const others = told - outputs;
  const steps = Math.max(1, Math.min(STEPS_MAX, Math.floor(others / OTHERS_PER_STEP)));

  yield { at_ms: 200, event: plan(0) };
  yield {
    at_ms: 900,
    event: said(
      "agent",
      "I read the code first, then I measure. **Nothing** is changed before I know what is slow.",
    ),
  };
  const begin_ms = 1_000;
  const each_ms = (WORK_MS - 5_000) / steps;
  let left_bytes = output_bytes;
  for (let index = 0; index < steps; index += 1) {
    const share = (whole: number) =>
      Math.floor((whole * (index + 1)) / steps) - Math.floor((whole * index) / steps);
    const count = share(outputs);
    const later = outputs - Math.floor((outputs * index) / steps);
    const chunks = chunksOf(index, count, later === 0 ? 0 : left_bytes / later);
    for (const chunk of chunks) left_bytes -= Buffer.byteLength(chunk);
    const happened = stepEvents(index, steps, chunks, share(others), pictures);
    const place = { begin_ms: begin_ms + index * each_ms, each_ms, waits: index % ASKED_EVERY === 7 };
    for (const [at, event] of happened.entries()) yield { at_ms: timeOf(at, happened.length, place), event };
  }
  yield { at_ms: WORK_MS - 2_000, event: said("agent", `${SUMMARY}\n`) };
  yield {
    at_ms: WORK_MS - 1_000,
    event: {
      type: "agent.ended",
      data: { outcome: "complete", reason: null, exit_code: 0, summary: SUMMARY },
    },
  };
}

const SUMMARY =
  "The import takes **4.1 s instead of 61 s** for the large sample, and writes the same bytes.\n\n" +
  "- `parse.py` reads each file once\n- `batch.py` writes 5,000 rows at a time\n- all 214 tests pass\n";

/** The workspace as the job leaves it. */
export function filesOfBigJob(): { name: string; content: string }[] {
  return FILES.map((name, index) => ({ name, content: `${`# ${name}\n${"x = 1\n".repeat(40 + index)}`}` }));
}

/** A step happens in the first third of its time, so that there is idle time to be skipped; one that waits for a person begins late. */
function timeOf(
  at: number,
  count: number,
  place: { begin_ms: number; each_ms: number; waits: boolean },
): number {
  const { begin_ms, each_ms, waits } = place;
  const late_ms = waits && at > 1 ? each_ms * 0.6 : 0;
  return Math.round(begin_ms + late_ms + (each_ms / 3) * (at / count));
}

function chunksOf(index: number, count: number, bytes: number): string[] {
  let short = 0;
  return Array.from({ length: count }, (_, at) => {
    const text = outputText(index * 7_919 + at, Math.max(1, Math.round(bytes + short)));
    short += bytes - Buffer.byteLength(text);
    return text;
  });
}

/** All that happens in and around one step: its output, and exactly `room` events beside it. */
function stepEvents(
  index: number,
  steps: number,
  chunks: string[],
  room: number,
  pictures: Pictures,
): EventBody[] {
  const step = index + 1;
  const action = ACTIONS[index % ACTIONS.length] ?? ACTIONS[0];
  assert(action !== undefined);
  const failed = index % 17 === 16;
  const before = index % ASKED_EVERY === 7 ? question(Math.floor(index / ASKED_EVERY) + 1, action) : [];
  const after = action.tool === "desktop" ? [captured(index, step, pictures)] : [];
  if (index % Math.ceil(steps / PLAN.length) === 0)
    after.push(plan(Math.floor((index * PLAN.length) / steps) + 1));
  if (index % 15 === 3)
    after.push(
      said(
        index % 30 === 3 ? "person" : "agent",
        index % 30 === 3
          ? "Does it still write the header?"
          : `Step ${step} shows that \`csv.reader\` is not the slow part.`,
      ),
    );
  const inside: EventBody[] = [modelCalled(index)];
  if (action.tool === "file") inside.push(fileChanged(index));
  if (index % 25 === 5) inside.push(denied(index));
  if (index % 20 === 13) inside.push(displayed(step, pictures.blobs[index % pictures.blobs.length] ?? null));
  const filler = room - 2 - before.length - after.length - inside.length;
  for (let k = 0; k < filler; k += 1)
    inside.push(k % 5 === 4 ? fileChanged(index + k) : metrics(index, k, steps));
  const output = chunks.map((data, at): EventBody => {
    const stream = at % 23 === 22 ? "stderr" : "stdout";
    return { type: "step.output", data: { step, stream, encoding: "utf8", data } };
  });
  const { tool, title, code } = action;
  return [
    ...before,
    { type: "step.started", data: { step, tool, title, code, code_blob: null } },
    ...spread(output, inside),
    {
      type: "step.ended",
      data: {
        step,
        cause: "exited",
        exit_code: failed ? 1 : 0,
        signal: null,
        message: null,
        duration_ms: 900 + ((index * 137) % 2_600),
        ok: !failed,
      },
    },
    ...after,
  ];
}

/** Both lists in one, the second spread evenly over the first. */
function spread<T>(many: readonly T[], few: readonly T[]): T[] {
  const all: T[] = [];
  let taken = 0;
  for (const [index, one] of few.entries()) {
    const until = Math.floor((many.length * (index + 1)) / (few.length + 1));
    all.push(...many.slice(taken, until), one);
    taken = until;
  }
  return [...all, ...many.slice(taken)];
}

function plan(done: number): EventBody {
  const steps = PLAN.map((title, index) => {
    const state = index < done - 1 ? "done" : index === done - 1 ? "active" : "pending";
    return { title, state } as const;
  });
  const checks = [{ title: "Every test passes", command: "python -m pytest -q tests" }];
  return { type: "plan.made", data: { steps, files: ["report.md"], checks } };
}

function said(from: "agent" | "person", text: string): EventBody {
  return { type: "message.said", data: { from, text } };
}

function question(n: number, { title, code }: Action): EventBody[] {
  return [
    { type: "approval.asked", data: { n, kind: "step", title, detail: code, expires_at: null } },
    { type: "approval.given", data: { n, decision: n % 4 === 3 ? "deny" : "allow", by: "person" } },
  ];
}

function modelCalled(index: number): EventBody {
  const input_tokens = 9_000 + ((index * 811) % 24_000);
  const output_tokens = 300 + ((index * 53) % 900);
  const cost_usd = (input_tokens * 1.25 + output_tokens * 10) / 1_000_000;
  return {
    type: "model.called",
    data: {
      provider: "google",
      model: "gemini-2.5-pro",
      outcome: "ok",
      http_status: 200,
      attempts: index % 50 === 49 ? 2 : 1,
      input_tokens,
      cached_tokens: Math.floor(input_tokens * 0.7),
      output_tokens,
      estimated: false,
      cost_usd,
      duration_ms: 1_500 + ((index * 97) % 6_000),
    },
  };
}

function fileChanged(index: number): EventBody {
  const path = FILES[index % FILES.length] ?? "report.md";
  const line = 10 + (index % 80);
  const diff = `--- a/${path}\n+++ b/${path}\n@@ -${line},4 +${line},5 @@\n def rows(path):\n-    text = open(path).read()\n-    for row in text.splitlines():\n+    with open(path, newline="") as file:\n+        for row in csv.reader(file):\n+            # pass ${index}\n             yield row\n`;
  const change = index < FILES.length ? "created" : "modified";
  return {
    type: "file.changed",
    data: { path, change, size_bytes: 1_200 + index, blob: null, diff, diff_blob: null },
  };
}

function captured(index: number, step: number, { width, height, blobs }: Pictures): EventBody {
  const blob = blobs[index % blobs.length];
  assert(blob !== undefined, "There is a picture to name.");
  return { type: "screen.captured", data: { blob, width, height, step } };
}

function displayed(step: number, blob: string | null): EventBody {
  return {
    type: "step.displayed",
    data: { step, mime: "image/png", blob, text: "<Figure size 640x480 with 1 Axes>" },
  };
}

function denied(index: number): EventBody {
  const host = ["telemetry.example.com", "pypi.example.org", "169.254.169.254"][index % 3] ?? "example.com";
  const message = `${host}:443 is not among the hosts that this job may reach.`;
  return {
    type: "egress.denied",
    data: { host, port: 443, rule: "policy", policy: "packages", count: 1 + (index % 4), message },
  };
}

function metrics(index: number, k: number, steps: number): EventBody {
  const wave = Math.sin(index / 9) * Math.sin(k / 3 + index);
  const memory_bytes = Math.round(180e6 + 90e6 * wave + (120e6 * index) / steps);
  return {
    type: "metrics.sampled",
    data: {
      // What was used only grows: a step adds less than 2.4 s to it.
      cpu_ms: index * 2_400 + Math.round((2_400 * k) / (k + 40)),
      memory_bytes,
      memory_peak_bytes: Math.round(270e6 + (120e6 * index) / steps),
      disk_bytes: Math.round(48e6 + (260e6 * index) / steps),
      pids: 6 + Math.round(4 + 4 * wave),
    },
  };
}
