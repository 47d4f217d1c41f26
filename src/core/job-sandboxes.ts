import { AppError } from "../contract/errors.ts";
import type { CurrentJob } from "./current-job.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxLink } from "./link.ts";
import type { Outbound } from "./outbound.ts";
import { Sandbox } from "./sandbox.ts";

/** The sandbox of a job, and those that take its place when it dies: one at a time, all on the job's one volume. */
export class JobSandboxes {
  readonly #job: CurrentJob;
  readonly #outbound: Outbound;
  readonly #dependencies: Dependencies;
  #current: Sandbox | null = null;

  /** `outbound` answers for what a sandbox in which the agent works reaches out to. */
  constructor(job: CurrentJob, outbound: Outbound, dependencies: Dependencies) {
    this.#job = job;
    this.#outbound = outbound;
    this.#dependencies = dependencies;
    const { sandbox_id } = job.state;
    if (sandbox_id !== null) this.#current = this.#working(sandbox_id);
  }

  get current(): Sandbox | null {
    return this.#current;
  }

  /** Makes the one with this id the current one; the state has to name it too. */
  begin(id: string): void {
    this.#current = this.#working(id);
  }

  /** Said once, also when an orchestrator before this one placed the same sandbox and said so. */
  async placed(sandbox: Sandbox, image_digest: string): Promise<void> {
    const filter = { after: 0, limit: 1, types: ["sandbox.started"] as const };
    const said = await this.#dependencies.store.readEvents(this.#job.record.job_id, filter);
    if (said.length > 0) return;
    const data = { sandbox_id: sandbox.id, image_digest };
    await this.#job.apply({ change: {}, events: [{ type: "sandbox.started", data }] });
  }

  async linked(sandbox: Sandbox, link: SandboxLink, relinked: boolean): Promise<void> {
    const data = { sandbox_id: sandbox.id, epoch: link.hello.epoch, relinked };
    await this.#job.apply({ change: {}, events: [{ type: "sandbox.linked", data }] });
  }

  /** Puts a fresh sandbox on the volume of the current one, which is removed, and waits for its link. Only one that `works` may reach out. */
  async replace(
    { reason, works }: { reason: string; works: boolean },
    signal: AbortSignal,
  ): Promise<SandboxLink> {
    const old = this.#current;
    const { job_id, limits, state } = this.#job.record;
    const { volume, image } = state;
    if (old === null || volume === null || image === null)
      throw new AppError({ code: "internal", message: "There is no volume to go on with." });
    await old.remove({ keep_volume: true }, signal);
    const id = this.#dependencies.names.sandbox_id();
    const sandbox = works ? this.#working(id) : new Sandbox(id, this.#dependencies, null);
    this.#current = sandbox;
    // It has no job yet, so there is no secret that its runner knows.
    await this.#job.apply({
      change: { sandbox_id: id, link_secret: null },
      events: [{ type: "sandbox.replaced", data: { sandbox_id: old.id, by: id, reason } }],
    });
    const { runtime } = this.#dependencies.config;
    const spec = { job_id, volume, image: image.reference, limits, runtime };
    const link = await sandbox.start(spec, async () => undefined, signal);
    await this.linked(sandbox, link, false);
    return link;
  }

  #working(id: string): Sandbox {
    return new Sandbox(id, this.#dependencies, this.#outbound);
  }
}
