import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { AppError } from "../contract/errors.ts";
import type { Event, EventBody } from "../contract/event.ts";
import { Approval, Budget, Egress, type Job, NO_USAGE } from "../contract/job.ts";
import { Limits } from "../contract/limits.ts";
import type { FileChange } from "../contract/surfaces.ts";
import type { Follow } from "../core/event-log.ts";
import type { JobFiles } from "../core/job-files.ts";
import type { JobSurfaces } from "../core/job-surfaces.ts";
import type { EventLine } from "../core/store.ts";
import type { Served } from "./route-context.ts";

/** An orchestrator in memory that runs nothing: tests say themselves what happens in its jobs. */
export class FakeOrchestrator implements Served {
  readonly all = new Map<string, Job>();
  readonly uploads: { path: string; text: string }[] = [];
  readonly workspace = new Map<string, Buffer>([["a b/ü.txt", Buffer.from("0123456789")]]);
  readonly zip = Buffer.from("PK not really a zip, but long enough for ranges");
  /** What people said, in order. */
  readonly said: { job_id: string; text: string }[] = [];
  /** Decisions by job and number; a question that waits has null. */
  readonly decisions = new Map<string, "allow" | "deny" | null>();
  /** What `schedule` throws before it reads anything of the upload. */
  refuse: Error | null = null;
  /** Events that were read, and by how many readers at the moment. */
  read = 0;
  readers = 0;
  readonly #events: Event[] = [];
  #changed = new EventTarget();

  add(status: Job["status"] = "running"): Job {
    const job_id = randomUUID();
    const at = new Date().toISOString();
    const job: Job = {
      job_id,
      status,
      phase: status === "running" ? "working" : "ended",
      reason: null,
      prompt: "test",
      agent: "auto",
      template: "base",
      model: null,
      limits: Limits.parse({}),
      egress: Egress.parse({}),
      budget: Budget.parse({}),
      approval: Approval.parse({}),
      approvals: [],
      linger_s: 0,
      labels: {},
      priority: 0,
      patch: false,
      retry_of: null,
      timings: {
        scheduled_at: at,
        started_at: null,
        ended_at: null,
        queued_ms: null,
        starting_ms: null,
        working_ms: null,
        packing_ms: null,
      },
      usage: NO_USAGE,
      links: {
        status: `/status/${job_id}`,
        events: "",
        logs: "",
        files: "",
        messages: "",
        desktop: "",
        jupyter: "",
        terminal: "",
        ports: "",
        cancel: "",
        download: "",
      },
      result: null,
    };
    this.all.set(job_id, job);
    return job;
  }

  /** What stands for the surfaces of every job. */
  live: JobSurfaces | null = null;

  async surfaces(job_id: string): Promise<JobSurfaces> {
    await this.job(job_id);
    if (this.live !== null) return this.live;
    throw new AppError({ code: "conflict", message: `Job ${job_id} has ended, and its sandbox with it.` });
  }

  emit(job_id: string, body: EventBody): void {
    const seq = this.#events.filter((event) => event.job_id === job_id).length + 1;
    this.#events.push({
      ...body,
      seq,
      cursor: this.#events.length + 1,
      job_id,
      at: new Date().toISOString(),
    });
    this.#changed.dispatchEvent(new globalThis.Event("changed"));
  }

  schedule: Served["schedule"] = async (request, { upload }, signal) => {
    if (this.refuse !== null) throw this.refuse;
    for await (const part of upload ?? []) {
      let text = "";
      for await (const chunk of part.content) text += chunk;
      this.uploads.push({ path: part.kind === "file" ? part.path : "(archive)", text });
    }
    signal.throwIfAborted();
    const job = this.add("running");
    job.prompt = request.prompt;
    return job;
  };

  job: Served["job"] = async (id) => {
    const job = this.all.get(id);
    if (job === undefined) throw new AppError({ code: "not_found", message: `There is no job ${id}.` });
    return job;
  };

  jobs: Served["jobs"] = async () => ({ jobs: [...this.all.values()], next_cursor: null });
  retry: Served["retry"] = async (id) => ({ ...(await this.job(id)), job_id: randomUUID() });
  cancel: Served["cancel"] = async (id) => ({
    job_id: (await this.job(id)).job_id,
    status: "running",
    cancelled: true,
  });

  message: Served["message"] = async (id, text) => {
    const job = await this.job(id);
    if (job.phase === "ended") throw new AppError({ code: "conflict", message: `Job ${id} has ended.` });
    this.said.push({ job_id: id, text });
    return { job_id: id, accepted: true };
  };

  decide: Served["decide"] = async (id, n, decision) => {
    await this.job(id);
    const known = this.decisions.get(`${id} ${n}`);
    if (known === undefined)
      throw new AppError({ code: "not_found", message: `Job ${id} asked no question ${n}.` });
    if (known !== null && known !== decision)
      throw new AppError({ code: "conflict", message: `Question ${n} was answered: ${known}.` });
    this.decisions.set(`${id} ${n}`, decision);
    return { job_id: id, n, decision };
  };

  openEgress: Served["openEgress"] = async (id, host) => {
    const job = await this.job(id);
    if (job.phase === "ended") throw new AppError({ code: "conflict", message: `Job ${id} has ended.` });
    if (!job.egress.hosts.includes(host)) job.egress.hosts.push(host);
    return { job_id: id, egress: job.egress };
  };

  providers: Served["providers"] = () => ({
    providers: [
      {
        name: "google",
        protocol: "google",
        base_url: "https://models.example",
        has_key: true,
        default_model: "gemini-test",
      },
    ],
    default_model: "google/gemini-test",
  });

  /** Knows no pages: the store's own tests and those of the event log are about them. */
  events: Served["events"] = (id, filter, signal) =>
    this.#follow(
      { ...filter, after: filter.after ?? 0 },
      (event) => (event.job_id === id ? event.seq : null),
      signal,
    );

  eventLines: Served["eventLines"] = (id, filter, signal) => asLines(this.events(id, filter, signal));

  lastCursor: Served["lastCursor"] = async () => this.#events.length;

  allEventLines: Served["allEventLines"] = (filter, signal) =>
    asLines(
      this.#follow(
        { ...filter, after: filter.after ?? this.#events.length },
        (event) => event.cursor,
        signal,
        true,
      ),
    );

  async *logs(id: string, filter: { follow: boolean }, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for await (const event of this.events(
      id,
      { after: 0, types: ["step.output"], follow: filter.follow },
      signal,
    ))
      if (event.type === "step.output") yield Buffer.from(event.data.data, event.data.encoding);
  }

  /** What `files` of every job gives, over `workspace`. */
  readonly place: JobFiles = {
    list: async ({ path }) => ({ path, entries: [], truncated: false }),
    read: async ({ path }, range) => {
      const content = this.workspace.get(path);
      if (content === undefined)
        throw new AppError({ code: "not_found", message: `There is no file ${path}.` });
      const part = range === null ? content : content.subarray(range.start, range.end + 1);
      return { size_bytes: content.length, content: Readable.from([part]) };
    },
    archive: async ({ path }, format) => Readable.from([Buffer.from(`${format} of ${path}`)]),
    write: async ({ path }, content, { only_new }) => {
      const before = this.workspace.get(path);
      if (before !== undefined && only_new)
        throw new AppError({ code: "precondition_failed", message: `There is a file ${path}.` });
      const bytes = await buffer(content);
      this.workspace.set(path, bytes);
      return { size_bytes: bytes.length, created: before === undefined };
    },
    unpack: async (_place, tar) => ({ files: (await buffer(tar)).length }),
    change: async (change) => {
      this.changes_made.push(change);
    },
  };
  readonly changes_made: FileChange[] = [];

  files: Served["files"] = async (id) => {
    await this.job(id);
    return this.place;
  };

  screen: Served["screen"] = async (id) => {
    throw new AppError({ code: "not_found", message: `Job ${id} has no picture of its screen.` });
  };

  blob: Served["blob"] = async (_id, sha256) => {
    throw new AppError({ code: "not_found", message: `There is no blob ${sha256}.` });
  };

  download: Served["download"] = async (id) => {
    if ((await this.job(id)).phase !== "ended")
      throw new AppError({ code: "not_ended", message: `Job ${id} has not ended.` });
    const open = (range: { start: number; end: number } | null) =>
      Readable.from([range === null ? this.zip : this.zip.subarray(range.start, range.end + 1)]);
    return { size_bytes: this.zip.length, sha256: createHash("sha256").update(this.zip).digest("hex"), open };
  };

  changes: Served["changes"] = async () => Readable.from(["diff --git a/x b/x\n"]);
  templates: Served["templates"] = () => [];
  agents: Served["agents"] = () => [];
  doctor: Served["doctor"] = async () => {
    throw new Error("a secret detail of the server");
  };

  async *#follow(
    filter: Omit<Follow, "after"> & { after: number },
    numberOf: (event: Event) => number | null,
    signal: AbortSignal,
    endless = false,
  ): AsyncGenerator<Event> {
    this.readers += 1;
    try {
      for (let index = 0; !signal.aborted; ) {
        const event = this.#events[index];
        if (event === undefined) {
          if (!filter.follow) return;
          await once(this.#changed, "changed", { signal }).catch(() => {});
          continue;
        }
        index += 1;
        const number = numberOf(event);
        if (number === null || number <= filter.after) continue;
        if (filter.types === null || filter.types.includes(event.type)) {
          this.read += 1;
          yield event;
        }
        if (event.type === "job.ended" && !endless) return;
      }
    } finally {
      this.readers -= 1;
    }
  }
}

async function* asLines(events: AsyncIterable<Event>): AsyncGenerator<EventLine[]> {
  for await (const event of events) {
    const { seq, cursor, type } = event;
    yield [{ seq, cursor, type, json: JSON.stringify(event) }];
  }
}
