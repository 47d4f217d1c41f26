import { AppError } from "../contract/errors.ts";
import type { EventBody } from "../contract/event.ts";
import type { Egress } from "../contract/job.ts";
import type { Decision, Question } from "../contract/link.ts";
import { modelInfo } from "../contract/model-table.ts";
import type { Approvals } from "./approvals.ts";
import { BudgetLedger, type Portion } from "./budget.ts";
import type { CurrentJob } from "./current-job.ts";
import { Denials } from "./denials.ts";
import type { Dependencies } from "./dependencies.ts";
import { doneOrAborted } from "./done-or-aborted.ts";
import type { EndingOnce } from "./ending.ts";
import { failed } from "./lifecycle.ts";
import { costOf } from "./models.ts";
import { egressOf, opening } from "./opened-hosts.ts";
import type { Denial, Estimate, ModelCall, Outbound, Reservation } from "./outbound.ts";

/** What the gateway may do for one job. */
export class JobOutbound implements Outbound {
  readonly #job: CurrentJob;
  readonly #ending: EndingOnce;
  readonly #dependencies: Pick<Dependencies, "config" | "clock">;
  readonly #approvals: Approvals;
  readonly #touch: () => void;
  readonly #ledger: BudgetLedger;
  readonly #denials: Denials;
  /** Replaced each time that something is given back to the budget. */
  #given_back = Promise.withResolvers<void>();

  /** `touch` says that the job is alive, which its idle clock counts from. */
  constructor(
    job: CurrentJob,
    ending: EndingOnce,
    options: {
      dependencies: Pick<Dependencies, "config" | "clock">;
      approvals: Approvals;
      touch: () => void;
    },
  ) {
    this.#job = job;
    this.#ending = ending;
    this.#dependencies = options.dependencies;
    this.#approvals = options.approvals;
    this.#touch = options.touch;
    this.#ledger = new BudgetLedger(job.record.request.budget, () => job.state.usage);
    this.#denials = new Denials({
      store: (denied) => {
        const { policy } = this.egress;
        return this.#unlessEnded({ type: "egress.denied", data: { ...denied, policy } });
      },
      clock: options.dependencies.clock,
      ended: ending.signal,
    });
  }

  get job_id(): string {
    return this.#job.record.job_id;
  }

  get providers(): readonly string[] {
    const { model } = this.#job.record.request;
    const slash = model?.indexOf("/") ?? -1;
    return model === null || slash < 1 ? [] : [model.slice(0, slash)];
  }

  get egress(): Egress {
    return egressOf(this.#job.record);
  }

  async reserve(estimate: Estimate, signal: AbortSignal): Promise<Reservation> {
    const portion = this.#portion(estimate);
    while (true) {
      signal.throwIfAborted();
      this.#refuseWhenEnding();
      const reserved = this.#ledger.reserve(portion);
      this.#touch();
      if (Symbol.dispose in reserved) return this.#reservation(reserved);
      if (reserved.for_now) {
        await this.#untilGivenBack(signal);
        continue;
      }
      this.#ending.set(failed("budget_exhausted", reserved.message));
      throw new AppError({ code: "budget_exhausted", message: reserved.message });
    }
  }

  get asks(): boolean {
    return this.#job.record.request.approval.policy !== "never";
  }

  async askEgress(host: string, port: number, signal: AbortSignal): Promise<boolean> {
    if (!this.asks) return false;
    const target = `${host}:${port}`;
    const title = `Open ${target} for this job?`;
    const detail = `A program in the sandbox wants to reach ${target}, which the egress policy ${this.egress.policy} does not list.`;
    const asked = { key: `egress ${target}`, kind: "egress" as const, title, detail, opens: target };
    return (await this.#approvals.ask(asked, signal)).decision === "allow";
  }

  denied(denial: Denial): void {
    this.#denials.add(denial);
  }

  async ask({ key, kind, title, detail }: Question, signal: AbortSignal): Promise<Decision> {
    // A runner asks nobody then; what asks all the same is not the runner, and must not hold the job up.
    if (this.#job.record.request.approval.policy === "never")
      throw new AppError({ code: "conflict", message: `Job ${this.job_id} asks nobody.` });
    return this.#approvals.ask({ key: `${kind} ${key}`, kind, title, detail, opens: null }, signal);
  }

  /** Opens a host without being asked. Throws AppError `conflict` when the job has no way out, or too many hosts. */
  async open(host: string): Promise<Egress> {
    await this.#job.apply((state) => {
      if (this.#job.record.request.egress.policy === "none")
        throw new AppError({
          code: "conflict",
          message: `Job ${this.job_id} runs with the egress policy none: nothing can be opened.`,
          hint: "Schedule it again with another policy, such as `packages`.",
        });
      const opened = opening(this.#job.record, state, { host, by: "request" });
      return opened === null ? null : { change: opened.change, events: [opened.event] };
    });
    return this.egress;
  }

  #portion({ provider, model, input_tokens, output_tokens }: Estimate): Portion {
    const price = modelInfo(this.#dependencies.config.models, provider, model);
    const cost_usd = costOf(price, { input_tokens, cached_tokens: 0, output_tokens });
    // A program may name another model than the one that the job was admitted with.
    if (cost_usd === null && this.#job.record.request.budget.max_cost_usd !== null)
      throw new AppError({
        code: "model_route_denied",
        message: `The price of ${provider}/${model} is not known, and the job has a budget in dollars.`,
        hint: `Add models["${provider}/${model}"] with its prices to config.json.`,
      });
    return { tokens: input_tokens + output_tokens, cost_usd: cost_usd ?? 0 };
  }

  #reservation(reserved: Disposable): Reservation {
    let settled = false;
    return {
      settle: async (call: ModelCall) => {
        if (settled) return;
        settled = true;
        try {
          await this.#spent(call);
        } finally {
          reserved[Symbol.dispose]();
          this.#given_back.resolve();
          this.#given_back = Promise.withResolvers<void>();
          this.#touch();
        }
      },
    };
  }

  /** What was used is stored with the event that says so. A call that outlived its job has no place any more. */
  async #spent(call: ModelCall): Promise<void> {
    const price = modelInfo(this.#dependencies.config.models, call.provider, call.model);
    const cost_usd = costOf(price, call);
    await this.#job.apply((state) => {
      if (state.phase === "ended") return null;
      const usage = {
        ...state.usage,
        model_calls: state.usage.model_calls + 1,
        input_tokens: state.usage.input_tokens + call.input_tokens,
        output_tokens: state.usage.output_tokens + call.output_tokens,
        cost_usd: state.usage.cost_usd + (cost_usd ?? 0),
      };
      return { change: { usage }, events: [{ type: "model.called", data: { ...call, cost_usd } }] };
    });
  }

  #unlessEnded(event: EventBody): Promise<void> {
    return this.#job.apply((state) => (state.phase === "ended" ? null : { change: {}, events: [event] }));
  }

  #refuseWhenEnding(): void {
    const { value } = this.#ending;
    if (value === null) return;
    const exhausted = value.reason?.code === "budget_exhausted";
    throw new AppError({
      code: exhausted ? "budget_exhausted" : "conflict",
      message: value.reason?.message ?? `Job ${this.job_id} is ending.`,
    });
  }

  async #untilGivenBack(signal: AbortSignal): Promise<void> {
    await doneOrAborted(this.#given_back.promise, AbortSignal.any([signal, this.#ending.signal]));
  }
}
