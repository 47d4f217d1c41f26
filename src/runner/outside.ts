import type { Question, Start } from "../contract/link.ts";

/** What of the world a job can reach from inside: ports for models and the way out, and people who answer questions. */
export interface Outside extends AsyncDisposable {
  /** What tools need in their environment to find the way out; empty when there is none. */
  readonly env: Record<string, string>;
  /** Asks a person; a lost link is waited out. Rejects with the signal's reason. */
  ask(question: Question, signal: AbortSignal): Promise<"allow" | "deny">;
}

/** Loads what most jobs need to reach out, so that a job that starts finds it loaded. */
export async function prepareOutside(): Promise<void> {
  await Promise.all([
    import("./link/out.ts"),
    import("./link/out-ports.ts"),
    import("./network-environment.ts"),
  ]);
}

/** Opens what the job needs, and loads no more than that: most jobs need one of the ports, or none. */
export async function openOutside(
  { model, network }: Pick<Start, "model" | "network">,
  { home, link_folder }: { home: string; link_folder: string },
): Promise<Outside> {
  const { OutLink } = await import("./link/out.ts");
  const { networkEnvironment } = await import("./network-environment.ts");
  await using stack = new AsyncDisposableStack();
  const out = stack.use(new OutLink({ folder: link_folder }));
  if (model !== null || network.egress) {
    const { serveOutPorts } = await import("./link/out-ports.ts");
    stack.use(await serveOutPorts({ out, models: model !== null, egress: network.egress }));
  }
  const env = await networkEnvironment(network, { home });
  const opened = stack.move();
  return {
    env,
    ask: (question, signal) => out.ask(question, signal),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
