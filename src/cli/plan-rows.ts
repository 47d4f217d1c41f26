import type picocolors from "picocolors";
import type { Event } from "../contract/event.ts";
import { cut, plainLine } from "./terminal-text.ts";

type Plan = Extract<Event, { type: "plan.made" }>["data"];
type Colours = ReturnType<typeof picocolors.createColors>;

/** Steps, and checks, of a plan that are shown; an agent may make a thousand. */
const STEPS_SHOWN = 15;
const CHECKS_SHOWN = 5;

/** Shows an agent's plan: whole when it is new, afterwards only what is done. */
export class PlanRows {
  readonly #colours: Colours;
  readonly #columns: () => number;
  #plan: Plan | null = null;

  constructor(colours: Colours, columns: () => number) {
    this.#colours = colours;
    this.#columns = columns;
  }

  /** The step of the plan that the agent says it is at, for the status line; null when it does not say. */
  get active(): string | null {
    const steps = this.#plan?.steps ?? [];
    const index = steps.findIndex(({ state }) => state === "active");
    const title = steps[index]?.title;
    return title === undefined ? null : `${index + 1}/${steps.length} ${plainLine(title)}`;
  }

  take(plan: Plan): string[] {
    const before = this.#plan;
    this.#plan = plan;
    const titles = (of: Plan) => JSON.stringify([of.steps.map(({ title }) => title), of.checks]);
    if (before === null || titles(before) !== titles(plan)) return this.#whole(plan, before !== null);
    return plan.steps.flatMap(({ title, state }, index) =>
      state === "done" && before.steps[index]?.state !== "done"
        ? [this.#row(`${this.#colours.green("✓")} ${index + 1}/${plan.steps.length}`, title)]
        : [],
    );
  }

  #whole({ steps, checks }: Plan, again: boolean): string[] {
    const { bold, dim, green, cyan } = this.#colours;
    const marks = { pending: dim("○"), active: cyan("▸"), done: green("✓") };
    const rows = [bold(again ? "the plan now" : "plan")];
    for (const { title, state } of steps.slice(0, STEPS_SHOWN))
      rows.push(this.#row(`  ${marks[state]}`, title));
    if (steps.length > STEPS_SHOWN) rows.push(dim(`  … and ${steps.length - STEPS_SHOWN} more`));
    for (const { title, command } of checks.slice(0, CHECKS_SHOWN))
      rows.push(this.#row(`  ${dim("check:")}`, title === "" ? command : title));
    if (checks.length > CHECKS_SHOWN) rows.push(dim(`  … and ${checks.length - CHECKS_SHOWN} more checks`));
    return rows;
  }

  #row(mark: string, title: string): string {
    // The longest mark has fewer than ten columns and is followed by a space.
    return `${mark} ${cut(plainLine(title), Math.max(10, this.#columns() - 12))}`;
  }
}
