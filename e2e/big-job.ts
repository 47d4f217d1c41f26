import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { tarOf } from "../src/artifacts/artifact-samples.ts";
import { openFolderArtifacts } from "../src/artifacts/folder.ts";
import { systemNames } from "../src/bin/names.ts";
import type { EventBody } from "../src/contract/event.ts";
import { type AdmittedRequest, Egress, JobRequest, NO_USAGE, type Usage } from "../src/contract/job.ts";
import { Limits } from "../src/contract/limits.ts";
import type { Artifacts } from "../src/core/artifacts.ts";
import {
  COMPLETE,
  type Ending,
  initialState,
  scheduled,
  type Transition,
  toEnded,
  toPacking,
  toStarting,
  toWorking,
} from "../src/core/lifecycle.ts";
import { packJob } from "../src/core/packing.ts";
import type { JobRecord, Store } from "../src/core/store.ts";
import { PIXEL_BYTES } from "../src/runner/surfaces/desktop/framebuffer.ts";
import { pngOf } from "../src/runner/surfaces/desktop/png.ts";
import { openSqliteStore } from "../src/stores/sqlite.ts";
import { type BigJobSize, filesOfBigJob, tellBigJob, WORK_MS } from "./big-job-story.ts";

const PROMPT =
  "Make the import of sales figures faster, without changing what it writes.\n\n" +
  "- Profile it with the **sample files** first.\n- Keep every test green.\n- Say in `report.md` what was slow, with figures.\n";
const QUEUED_MS = 1_400;
const STARTING_MS = 2_300;
const PACKING_MS = 3_100;
/** What the orchestrator itself says of a job, beside its story. */
const LIFECYCLE_EVENTS = 11;
/** Events that are stored together, as a pump would; together they have one time. */
const BATCH_EVENTS = 200;
const BATCH_MS = 2_000;
const PICTURES = 12;
const PICTURE = { width: 1280, height: 800 };
const WINDOW = { width: 520, height: 360 };
const TITLE_HEIGHT = 28;

/**
 * Writes a job that has ended into a state folder, as if it had run there for 40 minutes until just now: plan, hundreds of steps with
 * coloured output, diffs, messages, answered questions, denials, model calls with cost, samples of metrics, screen captures whose blobs are
 * there, and a ZIP that can be downloaded. Exactly `events` events (300 at least), and `output_bytes` of output (at most 8 KiB for
 * each of them), the same ones each time. 100,000 events and 50 MB take ten to twenty seconds.
 *
 * No orchestrator may run on the folder meanwhile: seed it before the start, or between `stop` and `restart` of a TestOrchestrator, whose
 * folder is `orchestrator.data`. `output_share` is how much of the events is output, `ending` how the job ended (complete by default).
 * Returns the id of the job.
 */
export async function seedBigJob(
  data_folder: string,
  size: BigJobSize & { ending?: Ending },
): Promise<string> {
  await mkdir(data_folder, { recursive: true, mode: 0o700 });
  await using store = await openSqliteStore({ file: join(data_folder, "sealwork.db") });
  const artifacts = await openFolderArtifacts({ folder: join(data_folder, "jobs") });
  const ended_at = Date.now();
  const scheduled_at = ended_at - QUEUED_MS - STARTING_MS - WORK_MS - PACKING_MS;
  const clock = new SeedClock(scheduled_at);
  const record = newRecord(clock.at);
  const { job_id, request } = record;
  await store.insertJob(record, scheduled(request), null);
  const apply = async ({ change, events }: Transition) => {
    Object.assign(record.state, change);
    await store.append(job_id, clock.at, change, events);
  };

  clock.go(QUEUED_MS);
  const sandbox = { sandbox_id: systemNames.sandbox_id(), volume: "seeded", link_secret: "seeded" };
  await apply(toStarting(record.state, clock.at, sandbox));
  clock.go(STARTING_MS);
  await apply({ change: { image: IMAGE }, events: begun(sandbox.sandbox_id) });
  await apply(toWorking(record.state, clock.at));

  const pictures = await savePictures(artifacts, job_id);
  const usage = await tell(
    store,
    record,
    { ...size, events: size.events - LIFECYCLE_EVENTS },
    pictures,
    clock,
  );
  clock.go(WORK_MS);
  await apply({ change: { usage }, events: [] });
  await apply(toPacking(record.state, clock.at, size.ending ?? COMPLETE));
  const link = { pack: async () => tarOf(filesOfBigJob()) };
  const packed = await packJob(
    record,
    link,
    { patch: false },
    { store, artifacts },
    new AbortController().signal,
  );
  clock.go(PACKING_MS);
  await apply(toEnded(record.state, clock.at, packed));
  return job_id;
}

const IMAGE = { reference: "sealwork/agents:latest", digest: `sha256:${"5ea1".repeat(16)}` };

/** The time in the life of the job. */
class SeedClock {
  #now_ms: number;
  constructor(now_ms: number) {
    this.#now_ms = now_ms;
  }
  get at(): string {
    return this.after(0);
  }
  after(ms: number): string {
    return new Date(this.#now_ms + ms).toISOString();
  }
  go(ms: number): void {
    this.#now_ms += ms;
  }
}

function newRecord(scheduled_at: string): JobRecord {
  const request: AdmittedRequest = {
    ...JobRequest.parse({
      prompt: PROMPT,
      agent: "native",
      model: "google/gemini-2.5-pro",
      labels: { team: "sales", kind: "performance" },
    }),
    template: "base",
    egress: Egress.parse({}),
  };
  return {
    job_id: systemNames.job_id(),
    owner: "seeded",
    scheduled_at,
    request,
    limits: Limits.parse({}),
    retry_of: null,
    has_upload: false,
    state: initialState(),
  };
}

function begun(sandbox_id: string): EventBody[] {
  return [
    { type: "sandbox.started", data: { sandbox_id, image_digest: IMAGE.digest } },
    { type: "sandbox.linked", data: { sandbox_id, epoch: "seeded", relinked: false } },
  ];
}

async function tell(
  store: Store,
  { job_id }: JobRecord,
  size: BigJobSize,
  pictures: readonly string[],
  clock: SeedClock,
): Promise<Usage> {
  const usage = { ...NO_USAGE };
  let batch: EventBody[] = [];
  let batch_at_ms = 0;
  const store_batch = async () => {
    if (batch.length > 0) await store.append(job_id, clock.after(batch_at_ms), {}, batch);
    batch = [];
  };
  for (const { at_ms, event } of tellBigJob(size, { ...PICTURE, blobs: pictures })) {
    if (batch.length === BATCH_EVENTS || at_ms - batch_at_ms > BATCH_MS) await store_batch();
    if (batch.length === 0) batch_at_ms = at_ms;
    batch.push(event);
    count(usage, event);
  }
  await store_batch();
  return usage;
}

function count(usage: Usage, event: EventBody): void {
  if (event.type === "step.output") usage.output_bytes += Buffer.byteLength(event.data.data);
  if (event.type === "metrics.sampled") {
    usage.cpu_ms = event.data.cpu_ms;
    usage.memory_peak_bytes = event.data.memory_peak_bytes;
  }
  if (event.type !== "model.called") return;
  usage.model_calls += 1;
  usage.input_tokens += event.data.input_tokens;
  usage.output_tokens += event.data.output_tokens;
  usage.cost_usd += event.data.cost_usd ?? 0;
}

/** Captures of a desktop on which a window travels, kept as blobs of the job; their names. */
async function savePictures(artifacts: Artifacts, job_id: string): Promise<string[]> {
  const names: string[] = [];
  for (let index = 0; index < PICTURES; index += 1) {
    const png = await pngOf({ ...PICTURE, pixels: desktop(index) });
    const sha256 = createHash("sha256").update(png).digest("hex");
    await artifacts.saveBlob(job_id, sha256, png);
    names.push(sha256);
  }
  return names;
}

function desktop(index: number): Buffer {
  const { width, height } = PICTURE;
  const pixels = Buffer.alloc(width * height * PIXEL_BYTES);
  const left = 60 + index * 55;
  const top = 70 + index * 20;
  const paint = (y: number, from: number, to: number, colour: readonly [number, number, number]) =>
    pixels.fill(
      Buffer.from([...colour, 0]),
      (y * width + from) * PIXEL_BYTES,
      (y * width + to) * PIXEL_BYTES,
    );
  for (let y = 0; y < height; y += 1) {
    paint(y, 0, width, [38, 52 + (y >> 4), 84]);
    const row = y - top;
    if (row < 0 || row >= WINDOW.height) continue;
    paint(y, left, left + WINDOW.width, row < TITLE_HEIGHT ? [70, 120, 210] : [246, 246, 248]);
    // Bars in the place of lines of text.
    if (row > 40 && row % 18 < 8) paint(y, left + 20, left + 60 + ((row * 13) % 400), [90, 92, 100]);
  }
  return pixels;
}
