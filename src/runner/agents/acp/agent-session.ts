import { setTimeout as sleep } from "node:timers/promises";
import { client, methods } from "@agentclientprotocol/sdk";
import * as z from "zod/mini";
import { type Handshake, shakeHands } from "./handshake.ts";
import type { Permissions } from "./permissions.ts";
import { ask } from "./requests.ts";

const Prompted = z.object({ stopReason: z.string() });

export type SessionOptions = Omit<Handshake, "connection"> & { permissions: Permissions };

/** A session of an agent CLI, from `initialize` on. Every request ends, at the latest, with the CLI itself. */
export class AgentSession {
  readonly id: string;
  /** Whether it goes on where an earlier one ended. */
  readonly loaded: boolean;
  readonly #handshake: Handshake;

  private constructor(handshake: Handshake, session: { id: string; loaded: boolean }) {
    this.#handshake = handshake;
    this.id = session.id;
    this.loaded = session.loaded;
  }

  /** Opens one, on from the session `earlier` where there is one and the CLI still knows it. Throws AppError when the CLI does not let it. */
  static async open(options: SessionOptions, earlier: string | null): Promise<AgentSession> {
    const { story, permissions, cli } = options;
    const { session } = methods.client;
    const connection = client({ name: "sealwork" })
      .onNotification(session.update, ({ params }) => story.take(params.update))
      .onRequest(session.requestPermission, ({ params }) => permissions.answer(params))
      .connect(cli.messages);
    const handshake = { ...options, connection };
    try {
      return new AgentSession(handshake, await shakeHands(handshake, earlier));
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** One turn; returns why it ended, in the protocol's word. When the signal is aborted the agent is asked to cancel, and has a moment to say that it did. */
  async prompt(text: string): Promise<string> {
    const { signal, times, connection } = this.#handshake;
    if (signal.aborted) return "cancelled";
    const left = new AbortController();
    const cancelled = Promise.withResolvers<"cancelled">();
    const cancel = (): void => {
      connection.agent.notify(methods.agent.session.cancel, { sessionId: this.id }).catch(() => undefined);
      sleep(times.cancel_ms, undefined, { signal: left.signal }).then(
        () => cancelled.resolve("cancelled"),
        () => undefined,
      );
    };
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const params = { sessionId: this.id, prompt: [{ type: "text", text }] };
      const asked = { method: methods.agent.session.prompt, params, answer: Prompted };
      const answered = ask(this.#handshake, asked).then(({ stopReason }) => stopReason);
      answered.catch(() => undefined);
      return await Promise.race([answered, cancelled.promise]);
    } finally {
      signal.removeEventListener("abort", cancel);
      left.abort();
    }
  }

  close(): void {
    this.#handshake.connection.close();
  }
}
