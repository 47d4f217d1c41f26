import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type ProvidersAnswer, VERSION_HEADER } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import type { Event, EventBody } from "../contract/event.ts";
import { Approval, Budget, Egress, type Job, NO_USAGE } from "../contract/job.ts";
import { VERSION } from "../contract/version.ts";

export type Received = { method: string; path: string; headers: IncomingMessage["headers"]; body: Buffer };

/** A server for tests over real HTTP: jobs, events and ZIPs are what the test says, and what comes in is kept. */
export class FakeServer implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly jobs: Job[] = [];
  readonly zips = new Map<string, Buffer>();
  version = VERSION;
  token: string | null = null;
  /** Answers a request before anything else does, when it returns true. */
  intercept: ((request: Received, answer: ServerResponse) => boolean) | null = null;
  models: ProvidersAnswer = { providers: [], default_model: null };
  takes_messages = true;
  /** Called for each message, and for each decision, that was taken. */
  on_message: ((id: string, text: string) => void) | null = null;
  on_decision: ((id: string, n: number, decision: "allow" | "deny") => void) | null = null;
  /** Called for each cancellation. */
  on_cancel: ((id: string) => void) | null = null;
  readonly #events = new Map<string, Event[]>();
  readonly #changed = new Set<() => void>();
  readonly #server = createServer((request, answer) => void this.#take(request, answer));
  url = "";

  static async start(): Promise<FakeServer> {
    const fake = new FakeServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    const address = fake.#server.address();
    if (typeof address === "object" && address !== null) fake.url = `http://127.0.0.1:${address.port}`;
    return fake;
  }

  /** Adds a job that waits for its events. */
  job(more: Partial<Job> = {}): Job {
    const job = exampleJob(this.jobs.length + 1, more);
    this.jobs.unshift(job);
    this.#events.set(job.job_id, []);
    return job;
  }

  emit(id: string, ...bodies: EventBody[]): void {
    const events = this.#events.get(id) ?? [];
    this.#events.set(id, events);
    for (const body of bodies) {
      const seq = events.length + 1;
      events.push({ ...body, seq, cursor: seq, job_id: id, at: new Date().toISOString() });
    }
    for (const wake of [...this.#changed]) wake();
  }

  /** Ends a job with its last event. */
  end(id: string, more: Partial<Job> = {}, zip: Buffer | null = null): void {
    const job = this.jobs.find((candidate) => candidate.job_id === id);
    if (job === undefined) throw new Error(`no job ${id}`);
    const ended_at = new Date(Date.parse(job.timings.scheduled_at) + 1500).toISOString();
    Object.assign(job, { status: "complete", phase: "ended", ...more });
    job.timings = { ...job.timings, ended_at };
    if (zip !== null) this.zips.set(id, zip);
    this.emit(id, { type: "job.ended", data: { status: job.status, reason: job.reason, summary: "" } });
  }

  async #take(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The client gave up in the middle of its body; there is nobody to answer.
    }
    const url = new URL(request.url ?? "/", this.url);
    const received: Received = {
      method: request.method ?? "GET",
      path: `${url.pathname}${url.search}`,
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    this.received.push(received);
    answer.setHeader(VERSION_HEADER, this.version);
    if (this.intercept?.(received, answer)) return;
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) {
      return fail(answer, new AppError({ code: "unauthorized", message: "The token is missing or wrong." }));
    }
    await this.#route(received, url, answer);
  }

  async #route(received: Received, url: URL, answer: ServerResponse): Promise<void> {
    const parts = url.pathname.split("/").filter((part) => part !== "");
    if (received.method === "POST" && parts[0] === "schedule") {
      const job = this.job({ prompt: "given" });
      return json(answer, { job_id: job.job_id, status: job.status, links: job.links });
    }
    if (parts[0] === "jobs" && parts.length === 1)
      return json(answer, { jobs: this.jobs, next_cursor: null });
    if (parts[0] === "providers") return json(answer, this.models);
    if (parts[0] === "doctor") return json(answer, { ok: true, checks: [] });
    const job = this.jobs.find((candidate) => candidate.job_id === parts[1]);
    if (job === undefined) return fail(answer, new AppError({ code: "not_found", message: "No such job." }));
    if (parts[0] === "status") return json(answer, job);
    if (parts[0] === "cancel") {
      json(answer, { job_id: job.job_id, status: job.status, cancelled: job.phase !== "ended" });
      return this.on_cancel?.(job.job_id);
    }
    if (parts[0] === "download") return this.#download(job.job_id, received, answer);
    if (parts[2] === "messages") return this.#message(job, received, answer);
    if (parts[2] === "approvals") return this.#decide(job, received, answer);
    if (parts[2] === "egress") {
      const { host } = JSON.parse(String(received.body));
      job.egress = { ...job.egress, hosts: [...job.egress.hosts, host] };
      return json(answer, { job_id: job.job_id, egress: job.egress });
    }
    if (parts[2] === "events") return this.#stream(job.job_id, url, answer);
    if (parts[2] === "logs") {
      const output = (this.#events.get(job.job_id) ?? []).flatMap((event) =>
        event.type === "step.output" ? [Buffer.from(event.data.data, event.data.encoding)] : [],
      );
      answer.end(Buffer.concat(output));
      return;
    }
    fail(answer, new AppError({ code: "not_found", message: "No such route." }));
  }

  #message(job: Job, received: Received, answer: ServerResponse): void {
    const { text } = JSON.parse(String(received.body));
    if (this.takes_messages) {
      json(answer, { job_id: job.job_id, accepted: true });
      this.emit(job.job_id, { type: "message.said", data: { from: "person", text } });
      this.on_message?.(job.job_id, text);
    } else fail(answer, new AppError({ code: "conflict", message: "The script agent takes no messages." }));
  }

  #decide(job: Job, received: Received, answer: ServerResponse): void {
    const n = Number(received.path.split("/").at(-1));
    const { decision } = JSON.parse(String(received.body));
    if (job.approvals.some((question) => question.n === n)) {
      json(answer, { job_id: job.job_id, n, decision });
      this.decide(job.job_id, n, decision);
    } else fail(answer, new AppError({ code: "conflict", message: `Question ${n} was answered: deny.` }));
  }

  /** Lets a job ask. */
  ask(id: string, n: number, title: string, expires_at: string | null = null): void {
    const job = this.jobs.find((candidate) => candidate.job_id === id);
    const question = { n, kind: "step" as const, title, detail: `the whole of ${title}`, expires_at };
    job?.approvals.push({ ...question, asked_at: new Date().toISOString() });
    this.emit(id, { type: "approval.asked", data: question });
  }

  /** Answers what a job asked, as a person elsewhere may do. */
  decide(id: string, n: number, decision: "allow" | "deny"): void {
    const job = this.jobs.find((candidate) => candidate.job_id === id);
    if (job !== undefined) job.approvals = job.approvals.filter((question) => question.n !== n);
    this.emit(id, { type: "approval.given", data: { n, decision, by: "person" } });
    this.on_decision?.(id, n, decision);
  }

  #download(id: string, received: Received, answer: ServerResponse): void {
    const zip = this.zips.get(id);
    if (zip === undefined) {
      fail(answer, new AppError({ code: "not_ended", message: "It has not ended." }));
      return;
    }
    answer.setHeader("etag", `"${createHash("sha256").update(zip).digest("hex")}"`);
    const from = /^bytes=(\d+)-$/.exec(received.headers.range ?? "")?.[1];
    if (from !== undefined) answer.statusCode = 206;
    answer.end(zip.subarray(Number(from ?? 0)));
  }

  async #stream(id: string, url: URL, answer: ServerResponse): Promise<void> {
    let sent = Number(url.searchParams.get("after") ?? 0);
    const follow = url.searchParams.get("follow") !== "false";
    answer.writeHead(200, { "content-type": "application/x-ndjson" });
    answer.flushHeaders();
    while (!answer.destroyed) {
      const events = this.#events.get(id) ?? [];
      for (const event of events.slice(sent)) answer.write(`${JSON.stringify(event)}\n`);
      sent = Math.max(sent, events.length);
      if (!follow || events.at(-1)?.type === "job.ended") break;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#changed.delete(wake);
          answer.off("close", wake);
          resolve();
        };
        this.#changed.add(wake);
        answer.on("close", wake);
      });
    }
    answer.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function json(answer: ServerResponse, value: unknown): void {
  answer.setHeader("content-type", "application/json");
  answer.end(JSON.stringify(value));
}

export function fail(answer: ServerResponse, error: AppError): void {
  answer.statusCode = error.status;
  json(answer, error.toBody());
}

function exampleJob(number: number, more: Partial<Job>): Job {
  const job_id = `01890000-0000-7000-8000-${number.toString(16).padStart(4, "0")}a1b2c3d4`;
  return {
    job_id,
    status: "running",
    phase: "working",
    reason: null,
    prompt: "# A task\n",
    agent: "script",
    template: "base",
    model: null,
    limits: {
      cpus: 2,
      memory_bytes: 2 ** 31,
      disk_bytes: 10 * 2 ** 30,
      pids: 512,
      timeout_s: 3600,
      idle_timeout_s: 1800,
    },
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
      scheduled_at: "2026-01-02T03:04:05.000Z",
      started_at: "2026-01-02T03:04:05.500Z",
      ended_at: null,
      queued_ms: 0,
      starting_ms: 500,
      working_ms: null,
      packing_ms: null,
    },
    usage: NO_USAGE,
    links: {
      status: `/status/${job_id}`,
      events: `/jobs/${job_id}/events`,
      logs: `/jobs/${job_id}/logs`,
      files: `/jobs/${job_id}/files`,
      desktop: "",
      jupyter: "",
      terminal: "",
      ports: "",
      messages: `/jobs/${job_id}/messages`,
      cancel: `/cancel/${job_id}`,
      download: `/download/${job_id}`,
    },
    result: null,
    ...more,
  };
}
