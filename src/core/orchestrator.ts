import type { Readable } from "node:stream";
import {
  type Agent,
  type ApprovalAnswer,
  type CancelAnswer,
  type Check,
  DOWNLOAD_WAIT_MS,
  type EgressAnswer,
  type JobsAnswer,
  type JobsQuery,
  type MessageAnswer,
  type ProvidersAnswer,
  type Template,
} from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { decodeOutput, type Event } from "../contract/event.ts";
import type { AdmittedRequest, Job, JobRequest } from "../contract/job.ts";
import { type Admitted, admit } from "./admission.ts";
import type { UploadPart } from "./artifacts.ts";
import { DeadlinePassed, withDeadline } from "./deadline.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxStatus } from "./driver.ts";
import { EventLog, type Follow, type FollowAll } from "./event-log.ts";
import { type ByteRange, filesOf, type JobFiles, unlinked } from "./job-files.ts";
import type { JobRun } from "./job-run.ts";
import { lastScreen, type Screen, screenNow } from "./job-screen.ts";
import { type JobSurfaces, surfacesEnded } from "./job-surfaces.ts";
import { agentViews, jobView, templateViews } from "./job-view.ts";
import { jobsFilter } from "./jobs-filter.ts";
import { cancelled, initialState, isAtWork, scheduled } from "./lifecycle.ts";
import { Machine } from "./machine.ts";
import { chooseModel, modelName } from "./models.ts";
import { Scheduler } from "./scheduler.ts";
import type { EventLine, JobRecord } from "./store.ts";
import { removeOrphans, takeUp } from "./take-up.ts";
import { keepHouse, watchSandboxes } from "./upkeep.ts";

/**
 * The whole of what a surface (HTTP, later MCP) may ask for. Unknown ids throw AppError `not_found`, those that retention removed `expired`.
 */
export class Orchestrator {
  readonly #dependencies: Dependencies;
  readonly #events: EventLog;
  readonly #scheduler: Scheduler;
  readonly #shutdown = new AbortController();
  readonly #background: Promise<void>[] = [];
  readonly #machine: Machine;

  private constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#events = new EventLog(dependencies.store, dependencies.clock);
    this.#scheduler = new Scheduler(dependencies, this.#events, this.#signal);
    this.#machine = new Machine(dependencies);
  }

  /** Takes up what an earlier orchestrator left, and begins to work. */
  static async start(dependencies: Dependencies): Promise<Orchestrator> {
    const orchestrator = new Orchestrator(dependencies);
    await removeOrphans(dependencies);
    await takeUp(dependencies, orchestrator.#scheduler, orchestrator.#signal);
    orchestrator.#background.push(orchestrator.#watch(), keepHouse(dependencies, orchestrator.#signal));
    return orchestrator;
  }

  /** Checks the request against templates and machine (AppError `invalid_request`), keeps the upload, stores the job, wakes the queue. */
  async schedule(
    request: JobRequest,
    options: {
      upload: AsyncIterable<UploadPart> | null;
      idempotency: { key: string; fingerprint: string } | null;
    },
    signal: AbortSignal,
  ): Promise<Job> {
    this.#refuseWhenStopping();
    const { artifacts, names } = this.#dependencies;
    const admitted = await this.#admit(request, signal);
    const job_id = names.job_id();
    let has_upload = false;
    if (options.upload !== null) {
      has_upload = (await artifacts.saveUpload(job_id, options.upload, signal)).files > 0;
      if (!has_upload) await artifacts.remove(job_id);
    }
    return this.#insert({ job_id, ...admitted, has_upload, retry_of: null }, options.idempotency);
  }

  async job(job_id: string): Promise<Job> {
    return jobView(await this.#record(job_id));
  }

  async jobs(query: JobsQuery): Promise<JobsAnswer> {
    const { limit, cursor } = query;
    const found = await this.#dependencies.store.listJobs(jobsFilter(query), limit, cursor ?? null);
    return { jobs: found.jobs.map(jobView), next_cursor: found.next_cursor };
  }

  async cancel(job_id: string): Promise<CancelAnswer> {
    const record = await this.#record(job_id);
    const { state } = record;
    if (state.phase === "ended")
      return { job_id, status: state.status, cancelled: state.status === "cancelled" };
    const known = this.#scheduler.run(job_id)?.ending ?? state.ending;
    if (known !== null) return { job_id, status: state.status, cancelled: known.status === "cancelled" };
    // An agent that has answered and only waits for more has nothing to be cancelled: the waiting ends.
    const answered = this.#scheduler.run(job_id)?.endWaiting() ?? false;
    if (answered) return { job_id, status: state.status, cancelled: false };
    if (!state.cancel_requested)
      await this.#events.append(job_id, {
        change: { cancel_requested: true },
        events: [{ type: "cancel.requested", data: {} }],
      });
    if (await this.#scheduler.withdraw(job_id))
      this.#scheduler.launch({ ...record, state: { ...state, cancel_requested: true } });
    const run = this.#scheduler.run(job_id);
    run?.end(cancelled());
    const { status } = await this.job(job_id);
    const ending = run?.ending?.status ?? status;
    return { job_id, status, cancelled: ending === "cancelled" };
  }

  /** The same task again, upload and env included. */
  async retry(job_id: string): Promise<Job> {
    this.#refuseWhenStopping();
    const { artifacts, names } = this.#dependencies;
    const record = await this.#record(job_id);
    const admitted = await this.#admit(record.request, this.#signal);
    const again = names.job_id();
    if (record.has_upload && !(await artifacts.copyUpload(job_id, again)))
      throw new AppError({ code: "expired", message: `The files that came with job ${job_id} are gone.` });
    const { has_upload } = record;
    return this.#insert({ job_id: again, ...admitted, has_upload, retry_of: job_id }, null);
  }

  /** Gives the agent of a job at work a message, which it reads at its next turn. AppError `conflict` where nobody would read it. */
  async message(job_id: string, text: string, signal: AbortSignal): Promise<MessageAnswer> {
    const { record, run } = await this.#atWork(job_id);
    if (record.request.agent === "script")
      throw new AppError({
        code: "conflict",
        message: `Job ${job_id} runs a script, which takes no messages.`,
      });
    const { link } = run;
    if (link === null) throw unlinked(job_id);
    await link.message({ id: this.#dependencies.names.secret(), text }, signal);
    return { job_id, accepted: true };
  }

  /** Answers the n-th question of a job; the same answer again is no fault. AppError `not_found` and `conflict` as Approvals.decide says. */
  async decide(job_id: string, n: number, decision: "allow" | "deny"): Promise<ApprovalAnswer> {
    const { run } = await this.#atWork(job_id);
    await run.decide(n, decision);
    return { job_id, n, decision };
  }

  /** Opens a host for a job that runs. AppError `conflict` where nothing can be opened (any more). */
  async openEgress(job_id: string, host: string): Promise<EgressAnswer> {
    const { run } = await this.#atWork(job_id);
    return { job_id, egress: await run.openEgress(host.toLowerCase()) };
  }

  /** What people use live of a job at work. AppError `conflict` for one that has ended, or waits in the queue. */
  async surfaces(job_id: string): Promise<JobSurfaces> {
    const { state } = await this.#record(job_id);
    const run = this.#scheduler.run(job_id);
    run?.surfaces.ended.throwIfAborted();
    if (run !== null) return run.surfaces;
    if (state.phase === "ended") throw surfacesEnded(job_id);
    throw new AppError({
      code: "conflict",
      message: `Job ${job_id} is ${state.phase}: it has no sandbox yet.`,
      hint: "Try again when it works.",
    });
  }

  providers(): ProvidersAnswer {
    const { config, providers } = this.#dependencies;
    const chosen = chooseModel(null, null, { config, providers });
    return {
      providers: providers.map((one) => ({ ...one })),
      default_model: chosen === null ? null : modelName(chosen),
    };
  }

  /** Events of a job in order, batch by batch; with `follow` live until `job.ended`, without it to the last one stored. */
  async *eventLines(job_id: string, filter: Follow, signal: AbortSignal): AsyncGenerator<EventLine[]> {
    await this.#record(job_id);
    yield* this.#events.follow(job_id, filter, AbortSignal.any([signal, this.#signal]));
  }

  /** The same, one by one and taken apart. */
  async *events(job_id: string, filter: Follow, signal: AbortSignal): AsyncGenerator<Event> {
    for await (const batch of this.eventLines(job_id, filter, signal))
      for (const { json } of batch) yield JSON.parse(json) as Event;
  }

  /** The cursor of the last event of any job. */
  lastCursor(): Promise<number> {
    return this.#events.lastCursor();
  }

  /** Events of all jobs by cursor, batch by batch; leaves out `step.output` unless `types` names it, or `output_of` its job. */
  allEventLines(filter: FollowAll, signal: AbortSignal): AsyncGenerator<EventLine[]> {
    return this.#events.followAll(filter, AbortSignal.any([signal, this.#signal]));
  }

  /** Exactly the bytes that the steps wrote. */
  async *logs(
    job_id: string,
    filter: { follow: boolean; stream: "stdout" | "stderr" | null; step: number | null },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const wanted = { after: 0, types: ["step.output"] as const, follow: filter.follow };
    for await (const batch of this.eventLines(job_id, wanted, signal)) {
      const pieces: Uint8Array[] = [];
      for (const { json } of batch) {
        const event = JSON.parse(json) as Event;
        if (event.type !== "step.output") continue;
        if (filter.stream !== null && event.data.stream !== filter.stream) continue;
        if (filter.step !== null && event.data.step !== filter.step) continue;
        pieces.push(decodeOutput(event.data));
      }
      if (pieces.length > 0) yield Buffer.concat(pieces);
    }
  }

  /** The files of a job as it is now: asked for anew for each thing that is done with them. */
  async files(job_id: string): Promise<JobFiles> {
    return filesOf(await this.#record(job_id), this.#scheduler.run(job_id), this.#dependencies);
  }

  /** The screen of the desktop: as it is now, or once the job is ending as it was captured last. AppError `not_found` when it never was. */
  async screen(job_id: string, signal: AbortSignal): Promise<Screen> {
    const { state } = await this.#record(job_id);
    const ending = this.#scheduler.run(job_id)?.ending ?? state.ending;
    if (ending !== null || state.phase === "ended") return lastScreen(job_id, this.#dependencies);
    return screenNow(await this.surfaces(job_id), signal);
  }

  async blob(job_id: string, sha256: string): Promise<{ size_bytes: number; content: Readable }> {
    await this.#record(job_id);
    const blob = await this.#dependencies.artifacts.openBlob(job_id, sha256);
    if (blob === null)
      throw new AppError({ code: "not_found", message: `Job ${job_id} has no blob ${sha256}.` });
    return blob;
  }

  /** The ZIP; waits up to DOWNLOAD_WAIT_MS while the job is packing. AppError `not_ended` before that. */
  async download(
    job_id: string,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; sha256: string; open: (range: ByteRange | null) => Readable }> {
    let record = await this.#record(job_id);
    if (record.state.phase === "packing") {
      await this.#untilEnded(job_id, signal);
      record = await this.#record(job_id);
    }
    this.#refuseUnlessEnded(record);
    const zip = await this.#dependencies.artifacts.openZip(job_id);
    if (zip === null) throw new AppError({ code: "expired", message: `The ZIP of job ${job_id} is gone.` });
    return zip;
  }

  /** AppError `not_found` when the job was not scheduled with `patch`, `not_ended` before its end. */
  async changes(job_id: string): Promise<Readable> {
    const record = await this.#record(job_id);
    if (!record.request.patch)
      throw new AppError({
        code: "not_found",
        message: `Job ${job_id} has no patch.`,
        hint: "Schedule it with `patch: true`, or `sealwork run --dir`.",
      });
    this.#refuseUnlessEnded(record);
    const patch = await this.#dependencies.artifacts.openPatch(job_id);
    if (patch === null) throw new AppError({ code: "not_found", message: `Job ${job_id} left no patch.` });
    return patch;
  }

  agents(): Agent[] {
    return agentViews(this.#dependencies.config);
  }

  templates(): Template[] {
    return templateViews(this.#dependencies.config);
  }

  doctor(signal: AbortSignal): Promise<Check[]> {
    return this.#dependencies.doctor(signal);
  }

  /** Stops taking and starting jobs; sandboxes go on and are found again by the next orchestrator. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#shutdown.abort();
    await Promise.all([...this.#background, this.#scheduler.settled()]);
  }

  get #signal(): AbortSignal {
    return this.#shutdown.signal;
  }

  #watch(): Promise<void> {
    const changed = (status: SandboxStatus) => this.#scheduler.sandboxChanged(status);
    // A sandbox that is not listed may not be made yet; only those that are listed say something here.
    return watchSandboxes(
      this.#dependencies,
      { changed, listed: (statuses) => statuses.forEach(changed) },
      this.#signal,
    );
  }

  async #insert(
    job: Pick<JobRecord, "job_id" | "request" | "limits" | "has_upload" | "retry_of">,
    idempotency: { key: string; fingerprint: string } | null,
  ): Promise<Job> {
    const { store, artifacts, clock, owner, config } = this.#dependencies;
    const record: JobRecord = { ...job, owner, scheduled_at: clock.now(), state: initialState() };
    let fresh = false;
    try {
      if (this.#scheduler.waiting >= config.queue_max)
        throw new AppError({
          code: "queue_full",
          message: `${this.#scheduler.waiting} jobs are waiting already.`,
          hint: "Try again when some have ended.",
        });
      const inserted = await store.insertJob(record, scheduled(record.request), idempotency);
      fresh = inserted.fresh;
      if (!fresh) return jobView(inserted.job);
      this.#events.published(inserted.events);
    } finally {
      if (!fresh && job.has_upload) await artifacts.remove(job.job_id);
    }
    this.#scheduler.enqueue(record);
    return jobView(record);
  }

  async #record(job_id: string): Promise<JobRecord> {
    const { store } = this.#dependencies;
    const record = await store.getJob(job_id);
    if (record !== null) return record;
    if (await store.wasRemoved(job_id))
      throw new AppError({
        code: "expired",
        message: `Job ${job_id} was removed after the retention time.`,
      });
    throw new AppError({ code: "not_found", message: `There is no job ${job_id}.` });
  }

  async #admit(request: JobRequest | AdmittedRequest, signal: AbortSignal): Promise<Admitted> {
    const { config, providers } = this.#dependencies;
    return admit(request, { config, providers, machine: await this.#machine.info(signal) });
  }

  async #atWork(job_id: string): Promise<{ record: JobRecord; run: JobRun }> {
    const record = await this.#record(job_id);
    const run = this.#scheduler.run(job_id);
    if (run !== null && run.ending === null && isAtWork(record.state)) return { record, run };
    const { phase } = record.state;
    throw new AppError({
      code: "conflict",
      message: `Job ${job_id} is ${run?.ending != null && phase !== "ended" ? "ending" : phase}: its agent is not at work.`,
      hint: phase === "queued" || phase === "starting" ? "Try again when it works." : undefined,
    });
  }

  async #untilEnded(job_id: string, signal: AbortSignal): Promise<void> {
    const limit = { what: "Packing", ms: DOWNLOAD_WAIT_MS };
    const wanted = { after: 0, types: ["job.ended"] as const, follow: true };
    try {
      await withDeadline(this.#dependencies.clock, limit, signal, async (inner) => {
        for await (const _ of this.events(job_id, wanted, inner)) return;
      });
    } catch (error) {
      if (!(error instanceof DeadlinePassed)) throw error;
    }
  }

  #refuseUnlessEnded({ job_id, state }: JobRecord): void {
    if (state.phase === "ended") return;
    throw new AppError({
      code: "not_ended",
      message: `Job ${job_id} has not ended: it is ${state.phase}.`,
      hint: "Ask again later, or cancel the job to get what there is.",
    });
  }

  #refuseWhenStopping(): void {
    if (!this.#signal.aborted) return;
    throw new AppError({
      code: "shutting_down",
      message: "The server is stopping.",
      hint: "Try again in a moment.",
    });
  }
}
