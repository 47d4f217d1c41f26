import type { AgentEnd } from "../../agent.ts";
import type { AgentContext } from "../agent-context.ts";
import type { Node } from "../state/agent-state.ts";
import { analyse } from "./analysis.ts";
import { compile } from "./compile.ts";
import { work } from "./work.ts";

/** A node returns the one that comes next, or how the turn ended. */
const GRAPH: Record<Node, (context: AgentContext) => Promise<Node | AgentEnd>> = {
  analysis: analyse,
  work,
  compile,
};

/** Goes from `node` through the graph to an end. Where it is lies on the volume. */
export async function runGraph(context: AgentContext, node: Node): Promise<AgentEnd> {
  const { journal } = context;
  for (let next: Node | AgentEnd = node; ; next = await GRAPH[next](context)) {
    if (typeof next !== "string") return next;
    await journal.set({ node: next });
  }
}
