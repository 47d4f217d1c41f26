import { randomBytes, randomUUIDv7 } from "node:crypto";
import net from "node:net";
import { Config } from "../contract/config.ts";
import { FakeSignInStore } from "../core/sign-in-store.fake.ts";
import { SignIns } from "../core/sign-ins.ts";
import { createServer, type ServerOptions } from "./app.ts";
import { type Listening, listen } from "./listen.ts";
import { FakeOrchestrator } from "./orchestrator.fake.ts";

export type TestServer = Listening & { orchestrator: FakeOrchestrator; logged: string[]; sign_ins: SignIns };

export const TEST_PREVIEWS = { secret: "another secret of this test", config: Config.parse({}).previews };

/** The real server on a free port over an orchestrator in memory. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const orchestrator = new FakeOrchestrator();
  const logged: string[] = [];
  const token = options.token ?? null;
  const sign_ins = await openTestSignIns(token);
  const app = await createServer({
    orchestrator,
    sign_ins,
    token,
    fingerprint_secret: "a secret of this test",
    previews: TEST_PREVIEWS,
    requests_per_second: 100_000,
    log: (level, message, detail) => logged.push(JSON.stringify({ level, message, ...detail })),
    ...options,
  });
  return { ...(await listen(app, { host: "127.0.0.1", port: 0, token })), orchestrator, logged, sign_ins };
}

/** The real sign-ins over a store in memory. What they do by and by is left out, so there is nothing to be closed. */
export function openTestSignIns(installation_token: string | null): Promise<SignIns> {
  return SignIns.open({
    store: new FakeSignInStore(),
    clock: { now: () => new Date().toISOString(), sleep: () => new Promise(() => {}) },
    names: {
      token_id: () => randomUUIDv7(),
      sign_in_secret: () => randomBytes(32).toString("base64url"),
    },
    installation_token,
    log: () => {},
  });
}

/** Sends raw bytes and gives all that comes back until the server closes. */
export async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  // Not ended from this side: a half-closed connection would be dropped before its last answer.
  socket.write(bytes);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}
