import { AppError } from "../contract/errors.ts";
import type { Egress } from "../contract/job.ts";
import { Approvals } from "./approvals.ts";
import { CurrentJob } from "./current-job.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxStatus } from "./driver.ts";
import { EndingOnce, endingOfFault, endingOfSandbox, endingOfStart } from "./ending.ts";
import type { EventLog } from "./event-log.ts";
import { imageProgress } from "./image-progress.ts";
import { watchClocks } from "./job-clocks.ts";
import { JobOutbound } from "./job-outbound.ts";
import { hasBegun, packWork, type WorkToPack } from "./job-packing.ts";
import { JobSandboxes } from "./job-sandboxes.ts";
import { startOf } from "./job-start.ts";
import { JobSurfaces } from "./job-surfaces.ts";
import { COMPLETE, cancelled, type Ending, failed, isAtWork, toStarting, toWorking } from "./lifecycle.ts";
import type { SandboxLink } from "./link.ts";
import { Pump } from "./pump.ts";
import { relink } from "./relink.ts";
import { patiently, type Sandbox } from "./sandbox.ts";
import type { JobRecord } from "./store.ts";

/** Each loss is an event, so a runner that loses its link again and again must come to an end. */
const RELINKS_MAX = 200;
/** When the ZIP cannot be written (this machine's disk is full, say), the job stays in packing and tries again. */
const PACK_RETRY_MS = 30_000;
/** How often a fresh sandbox takes over from one that died; what ends two sandboxes ends a third. */
const TAKEOVERS_MAX = 1;
const TAKES_OVER = "The sandbox died; a fresh one goes on with the work.";

/** One job on its way from the queue to its ZIP. Can be taken up again in any phase, after a restart. */
export class JobRun {
  readonly #dependencies: Dependencies;
  readonly #ending = new EndingOnce();
  readonly #pump: Pump;
  readonly #job: CurrentJob;
  readonly #approvals: Approvals;
  readonly #outbound: JobOutbound;
  readonly #sandboxes: JobSandboxes;
  /** What people use live of it. */
  readonly surfaces: JobSurfaces;
  #relinks = 0;
  /** The job is on its way to a runner, which may or may not know its secret yet. */
  #delivering = false;
  /** It was at work already when this orchestrator took it up. */
  readonly #resumed: boolean;

  constructor(record: JobRecord, dependencies: Dependencies, events: EventLog) {
    this.#dependencies = dependencies;
    this.#job = new CurrentJob(record, events);
    this.#pump = new Pump(this.#job, this.#ending, dependencies);
    const touch = () => this.#pump.touch();
    this.#approvals = new Approvals(this.#job, {
      clock: dependencies.clock,
      ended: this.#ending.signal,
      answered: touch,
    });
    this.#outbound = new JobOutbound(this.#job, this.#ending, {
      dependencies,
      approvals: this.#approvals,
      touch,
    });
    const { state } = record;
    this.#resumed = isAtWork(state);
    this.#sandboxes = new JobSandboxes(this.#job, this.#outbound, dependencies);
    const { clock, config } = dependencies;
    this.surfaces = new JobSurfaces(this.#job, {
      link: () => this.link,
      ending: this.#ending,
      touch,
      failed: (error) => void this.#ending.set(this.#endingOfError(error)),
      records_terminals: config.templates[record.request.template]?.record_terminals === true,
      clock,
    });
    if (state.ending !== null) this.#ending.set(state.ending);
    else if (state.cancel_requested) this.#ending.set(cancelled());
  }

  /** The link to the sandbox; null while there is none. */
  get link(): SandboxLink | null {
    return this.#sandbox?.link ?? null;
  }

  get sandbox_id(): string | null {
    return this.#sandbox?.id ?? null;
  }

  /** False when the job is ending for another reason already. */
  end(ending: Ending): boolean {
    return this.#ending.set(ending);
  }

  /** How the job is ending; null while nothing ends it. */
  get ending(): Ending | null {
    return this.#ending.value;
  }

  /** Whether the work would go on in a fresh sandbox if this one died now. */
  get may_take_over(): boolean {
    const { state, request } = this.#job.record;
    return isAtWork(state) && request.agent !== "script" && state.takeovers < TAKEOVERS_MAX;
  }

  /** Ends the job as complete when its agent has given its answer and only lingers for a message; else false. */
  endWaiting(): boolean {
    const { lingering, approvals } = this.#job.state;
    return lingering && approvals.length === 0 && this.#ending.set(COMPLETE);
  }

  /** As Approvals.decide says; AppError `conflict` for a job that is not at work. */
  async decide(n: number, decision: "allow" | "deny"): Promise<void> {
    await this.#approvals.decide(n, decision, "person");
  }

  /** As JobOutbound.open says. */
  openEgress(host: string): Promise<Egress> {
    return this.#outbound.open(host);
  }

  sandboxChanged(status: SandboxStatus | null): void {
    this.#sandbox?.changed(status);
  }

  /** Resolves when the job has ended, or when `shutdown` aborts; then the sandbox goes on without us. Never rejects. */
  async run(shutdown: AbortSignal): Promise<void> {
    try {
      await this.#untilEnding(shutdown);
      while (!shutdown.aborted && this.#job.state.phase !== "ended") {
        try {
          await packWork(this.#parts, shutdown);
        } catch (error) {
          if (shutdown.aborted) break;
          this.#log("error", "The job could not be packed; it is tried again.", error);
          await this.#dependencies.clock.sleep(PACK_RETRY_MS, shutdown);
        }
      }
      if (!shutdown.aborted) await this.#cleanUp(shutdown);
    } catch (error) {
      if (!shutdown.aborted) this.#log("error", "What was left of the job could not be removed.", error);
    }
    await this.#sandbox?.disconnect();
  }

  /** The volume by its own name as well: a sandbox that could not be made leaves one without a container that names it. */
  async #cleanUp(shutdown: AbortSignal): Promise<void> {
    await this.#sandbox?.remove({ keep_volume: false }, shutdown);
    const { volume } = this.#job.state;
    if (volume !== null) await this.#dependencies.driver.destroyVolume(volume, shutdown);
  }

  async #untilEnding(shutdown: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([shutdown, this.#ending.signal]);
    try {
      const { phase } = this.#job.state;
      if ((phase === "queued" || phase === "starting") && !stop.aborted) await this.#start(stop);
      if (isAtWork(this.#job.state) && !stop.aborted) await this.#work(stop);
    } catch (error) {
      if (stop.aborted) return;
      this.#ending.set(this.#endingOfError(error));
    }
  }

  async #start(stop: AbortSignal): Promise<void> {
    const { names, images, config, clock } = this.#dependencies;
    const { request, limits, job_id } = this.#job.record;
    if (this.#job.state.phase === "queued") {
      const sandbox_id = names.sandbox_id();
      const transition = toStarting(this.#job.state, this.#now(), {
        sandbox_id,
        volume: `sealwork-${sandbox_id}`,
        link_secret: names.secret(),
      });
      this.#sandboxes.begin(sandbox_id);
      await this.#job.apply(transition);
    }
    const sandbox = this.#sandbox;
    const { volume, link_secret } = this.#job.state;
    const template = config.templates[request.template];
    if (sandbox === null || volume === null || link_secret === null || template === undefined)
      throw new AppError({
        code: "image_missing",
        message: `There is no template ${request.template} any more.`,
      });

    const wanted = { name: request.template, image: template.image, build: template.build };
    const progress = imageProgress(this.#job, this.#dependencies.log);
    // The sockets do not depend on the image, so they are made meanwhile; opening them again finds them open.
    const [image] = await Promise.all([
      patiently(clock, () => images.ensure(wanted, progress, stop), stop),
      sandbox.prepare(),
    ]);
    await this.#job.apply({ change: { image }, events: [] });
    const link = await sandbox.start(
      { job_id, volume, image: image.reference, limits, runtime: config.runtime },
      () => this.#sandboxes.placed(sandbox, image.digest),
      stop,
    );
    await this.#sandboxes.linked(sandbox, link, false);
    await this.#delivered(link, { resume: false }, stop);
    await this.#job.apply((state) => toWorking(state, this.#now()));
  }

  /** Gives the runner its files and its job; over a new link when the first one is lost meanwhile. */
  async #delivered(first: SandboxLink, how: { resume: boolean }, stop: AbortSignal): Promise<void> {
    this.#delivering = true;
    for (let link: SandboxLink | null = first; link !== null; link = await this.#connected(stop)) {
      try {
        await this.#deliver(link, how, stop);
        this.#delivering = false;
        return;
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "link_lost") throw error;
        await link.close();
      }
    }
    stop.throwIfAborted();
  }

  async #deliver(link: SandboxLink, { resume }: { resume: boolean }, stop: AbortSignal): Promise<void> {
    const { record } = this.#job;
    const { job_id, state } = record;
    const { hello } = link;
    if (hello.job_id !== null) {
      if (hello.job_id === job_id && (hello.secret ?? "") === state.link_secret) return;
      throw new AppError({ code: "protocol_violated", message: "The runner answered for another job." });
    }
    const link_secret = state.link_secret ?? this.#dependencies.names.secret();
    const start = await startOf(record, link_secret, this.#dependencies);
    // What came with the job lies on the volume already when another sandbox takes over, and was worked on since.
    const upload = resume ? null : await this.#dependencies.artifacts.openUpload(job_id);
    if (upload !== null) await link.upload(upload, stop);
    // Stored first: the runner may work before its answer is here, and whoever takes the job up must know that there may be work.
    const takeovers = state.takeovers + (state.link_secret === null ? 1 : 0);
    const change = { runner_epoch: hello.epoch, runner_n: 0, link_secret, takeovers };
    await this.#job.apply({ change, events: [] });
    await link.start({ ...start, resume }, stop);
  }

  /** Takes the runner's events in until something ends the job. */
  async #work(stop: AbortSignal): Promise<void> {
    const { clock, store } = this.#dependencies;
    this.#approvals.resume();
    const clocks = watchClocks(this.#job, this.#pump, { clock, resumed: this.#resumed }, stop).then(
      (struck) => struck !== null && this.#ending.set(struck),
    );
    // Who drove the desktop when an orchestrator before this one went away does not drive any more.
    const { job_id } = this.#job.record;
    const drove = this.#resumed ? await store.lastEvent(job_id, "control.changed") : null;
    let held_by = drove?.data.held_by ?? null;
    let first = !this.#resumed;
    try {
      while (!stop.aborted) {
        const link = await this.#connected(stop);
        if (link === null) return;
        if (!first) await this.surfaces.desktop.linked(held_by);
        first = false;
        held_by = null;
        try {
          await this.#pump.run(link, stop);
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== "link_lost") throw error;
          // A link that lives, but whose events end, would only end them again.
          await link.close();
        }
      }
    } catch (error) {
      if (!stop.aborted) this.#ending.set(this.#endingOfError(error));
    }
    await clocks;
  }

  /** The living link, or a new one; null when the sandbox turned out to be dead (the ending is then set). */
  async #connected(stop: AbortSignal): Promise<SandboxLink | null> {
    const sandbox = this.#sandbox;
    if (sandbox === null) throw new AppError({ code: "internal", message: "A working job has no sandbox." });
    if (sandbox.link !== null) return sandbox.link;
    if (++this.#relinks > RELINKS_MAX)
      throw new AppError({
        code: "protocol_violated",
        message: `The runner lost its link more than ${RELINKS_MAX} times.`,
      });
    // Before its job is known to have arrived, the runner may not know the secret yet; what it says is then checked there.
    const { phase, link_secret } = this.#job.state;
    const secret = phase === "starting" || this.#delivering ? null : link_secret;
    const again = await relink(sandbox, secret, this.#dependencies.clock, stop);
    let link: SandboxLink;
    if (again.link !== null) {
      link = again.link;
      await this.#sandboxes.linked(sandbox, link, true);
      if (link_secret !== null || this.#delivering) return link;
      // An earlier orchestrator went away before it gave the job to the sandbox that takes over.
    } else if (this.may_take_over && !this.#delivering) {
      link = await this.#sandboxes.replace({ reason: TAKES_OVER, works: true }, stop);
    } else {
      const dead = this.#begun ? endingOfSandbox : endingOfStart;
      this.#ending.set(again.why !== null ? failed("sandbox_died", again.why) : dead(sandbox.status));
      return null;
    }
    await this.#delivered(link, { resume: true }, stop);
    return this.#sandbox?.link ?? link;
  }

  #endingOfError(error: unknown): Ending {
    const known = endingOfFault(error, { sandbox: this.#sandbox, begun: this.#begun });
    if (known !== null) return known;
    this.#log("error", "A fault of ours ended the job.", error);
    return failed("internal", "A fault of Sealwork ended the job.");
  }

  get #sandbox(): Sandbox | null {
    return this.#sandboxes.current;
  }

  get #begun(): boolean {
    return hasBegun(this.#job.state);
  }

  get #parts(): WorkToPack {
    const [job, ending, pump, sandboxes] = [this.#job, this.#ending, this.#pump, this.#sandboxes];
    return { job, ending, pump, sandboxes, dependencies: this.#dependencies };
  }

  #now(): string {
    return this.#dependencies.clock.now();
  }

  #log(level: "warn" | "error", message: string, error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#dependencies.log(level, message, { job_id: this.#job.record.job_id, error: detail });
  }
}
