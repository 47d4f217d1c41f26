import assert from "node:assert/strict";
import { Readable, Transform } from "node:stream";
import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";
import type { Artifact, OwnFile, PackedFile } from "./artifacts.ts";
import type { Dependencies } from "./dependencies.ts";
import { jobView } from "./job-view.ts";
import type { SandboxLink } from "./link.ts";
import type { JobRecord } from "./store.ts";
import { type Story, tellStory, transcript } from "./story.ts";

const EVENTS_BATCH = 500;
/** A tar may be this many times the job's disk limit, for its headers and padding, before it counts as a lie. */
const TAR_SIZE_FACTOR = 3;
const TAR_SIZE_SLACK_BYTES = 256 * 1024 * 1024;

export type Packed = { artifact: Artifact; summary: string; exit_code: number | null };

/**
 * Writes the ZIP of a job: the workspace as the sandbox streams it (none when `link` is null) and the orchestrator's own files.
 * Throws what the link throws; then nothing was written.
 */
export async function packJob(
  record: JobRecord,
  link: Pick<SandboxLink, "pack"> | null,
  options: { patch: boolean },
  dependencies: Pick<Dependencies, "store" | "artifacts">,
  signal: AbortSignal,
): Promise<Packed> {
  const { store, artifacts } = dependencies;
  const story = await tellStory(readEvents(record.job_id, store));
  const tar = link === null ? null : bounded(await link.pack(signal), record);
  const artifact = await artifacts.writeZip(
    record.job_id,
    tar,
    ({ files, left_out }) => ownFiles(record, story, { files, left_out, complete: link !== null }, store),
    options,
    signal,
  );
  return { artifact, summary: story.summary, exit_code: story.exit_code };
}

function ownFiles(
  record: JobRecord,
  story: Story,
  packed: { files: AsyncIterable<PackedFile>; left_out: number; complete: boolean },
  store: Dependencies["store"],
): OwnFile[] {
  return [
    { name: "result.json", content: () => text([json(resultOf(record, story, packed.complete))]) },
    { name: "transcript.md", content: () => text(transcript(record, story)) },
    { name: "events.ndjson", content: () => text(eventLines(record.job_id, store)) },
    { name: "manifest.json", content: () => text(manifest(record, packed)) },
  ];
}

function resultOf(record: JobRecord, story: Story, workspace_packed: boolean) {
  const { ending } = record.state;
  assert(ending !== null, "A job that is packed knows how it ends.");
  const view = jobView(record);
  return {
    job_id: record.job_id,
    status: ending.status,
    reason: ending.reason,
    summary: story.summary,
    exit_code: story.exit_code,
    workspace_packed,
    steps: story.steps,
    timings: view.timings,
    usage: view.usage,
    agent: view.agent,
    template: view.template,
    labels: view.labels,
  };
}

/** Written piece by piece, because a workspace may hold more files than fit into memory. */
async function* manifest(
  record: JobRecord,
  packed: { files: AsyncIterable<PackedFile>; left_out: number },
): AsyncGenerator<string> {
  const { request, state } = record;
  const head = {
    job_id: record.job_id,
    image: state.image,
    egress: jobView(record).egress,
    limits: record.limits,
    model: request.model,
    usage: state.usage,
    left_out: packed.left_out,
  };
  yield `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "files": [`;
  let separator = "\n";
  for await (const file of packed.files) {
    yield `${separator}    ${JSON.stringify(file)}`;
    separator = ",\n";
  }
  yield "\n  ]\n}\n";
}

async function* eventLines(job_id: string, store: Dependencies["store"]): AsyncGenerator<string> {
  let after = 0;
  while (true) {
    const lines = await store.readEventLines(job_id, { after, limit: EVENTS_BATCH });
    for (const { json } of lines) yield `${json}\n`;
    if (lines.length < EVENTS_BATCH) return;
    after = lines.at(-1)?.seq ?? after;
  }
}

async function* readEvents(job_id: string, store: Dependencies["store"]): AsyncGenerator<Event> {
  for await (const line of eventLines(job_id, store)) yield JSON.parse(line) as Event;
}

/** A sandbox that streams more than its disk can hold is lying; its ZIP must not fill this machine. */
export function bounded(tar: Readable, record: JobRecord): Readable {
  const most = record.limits.disk_bytes * TAR_SIZE_FACTOR + TAR_SIZE_SLACK_BYTES;
  let seen = 0;
  const gate = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen <= most) return done(null, chunk);
      done(
        new AppError({
          code: "protocol_violated",
          message: `The workspace of job ${record.job_id} is larger than ${most} bytes when packed.`,
        }),
      );
    },
  });
  tar.on("error", (error) => gate.destroy(error));
  gate.on("close", () => tar.destroy());
  return tar.pipe(gate);
}

function text(pieces: Iterable<string> | AsyncIterable<string>): Readable {
  return Readable.from(toBuffers(pieces), { objectMode: false });
}

async function* toBuffers(pieces: Iterable<string> | AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
