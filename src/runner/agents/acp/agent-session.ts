import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import {
  type ClientConnection,
  client,
  type InitializeResponse,
  methods,
  type NewSessionResponse,
  PROTOCOL_VERSION,
  type PromptResponse,
  RequestError,
} from "@agentclientprotocol/sdk";
import { AppError } from "../../../contract/errors.ts";
import { VERSION } from "../../../contract/version.ts";
import type { CliProcess } from "./cli-process.ts";
import type { Permissions } from "./permissions.ts";
import type { SessionStory } from "./session-story.ts";

/** How long the steps of a session's beginning, and its end, may take. */
export type SessionTimes = { initialize_ms: number; session_ms: number; cancel_ms: number };

/** The protocol's code for a session that wants a sign-in first. */
const AUTH_REQUIRED = -32000;
/** The way of signing in that needs nobody: the key that the CLI's environment or files already hold. */
const BY_KEY = /api[-_]?key/i;

export type SessionOptions = {
  cli: CliProcess;
  story: SessionStory;
  permissions: Permissions;
  cwd: string;
  times: SessionTimes;
  signal: AbortSignal;
};

/** A session of an agent CLI, from `initialize` on. Every request ends, at the latest, with the CLI itself. */
export class AgentSession {
  readonly id: string;
  /** Whether it goes on where an earlier one ended. */
  readonly loaded: boolean;
  readonly #connection: ClientConnection;
  readonly #options: SessionOptions;

  private constructor(
    options: SessionOptions,
    connection: ClientConnection,
    session: { id: string; loaded: boolean },
  ) {
    this.#options = options;
    this.#connection = connection;
    this.id = session.id;
    this.loaded = session.loaded;
  }

  /** Opens one, on from the session `earlier` where there is one and the CLI still knows it. Throws AppError when the CLI does not let it. */
  static async open(options: SessionOptions, earlier: string | null): Promise<AgentSession> {
    const connection = connect(options);
    try {
      const initialized = await initialize(options, connection);
      const can_load = initialized.agentCapabilities?.loadSession === true;
      if (earlier !== null && can_load && (await load(options, connection, earlier)))
        return new AgentSession(options, connection, { id: earlier, loaded: true });
      const id = await create(options, connection, initialized);
      return new AgentSession(options, connection, { id, loaded: false });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** One turn. When the signal is aborted the agent is asked to cancel, and has a moment to say that it did. */
  async prompt(text: string): Promise<PromptResponse["stopReason"]> {
    const { signal, times } = this.#options;
    const { agent } = this.#connection;
    const left = new AbortController();
    const cancelled = Promise.withResolvers<"cancelled">();
    const cancel = (): void => {
      agent.notify(methods.agent.session.cancel, { sessionId: this.id }).catch(() => undefined);
      sleep(times.cancel_ms, undefined, { signal: left.signal }).then(
        () => cancelled.resolve("cancelled"),
        () => undefined,
      );
    };
    if (signal.aborted) return "cancelled";
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const params = { sessionId: this.id, prompt: [{ type: "text" as const, text }] };
      const answered = orFailure<PromptResponse>(this.#options, methods.agent.session.prompt, () =>
        agent.request(methods.agent.session.prompt, params),
      );
      answered.catch(() => undefined);
      return await Promise.race([answered.then(({ stopReason }) => stopReason), cancelled.promise]);
    } finally {
      signal.removeEventListener("abort", cancel);
      left.abort();
    }
  }

  close(): void {
    this.#connection.close();
  }
}

function connect({ cli, story, permissions }: SessionOptions): ClientConnection {
  const { session } = methods.client;
  const app = client({ name: "sealwork" })
    .onNotification(session.update, ({ params }) => story.take(params.update))
    .onRequest(session.requestPermission, ({ params }) => permissions.answer(params));
  return app.connect(cli.messages);
}

async function initialize(options: SessionOptions, { agent }: ClientConnection): Promise<InitializeResponse> {
  const params = {
    protocolVersion: PROTOCOL_VERSION,
    clientInfo: { name: "sealwork", version: VERSION },
    // Files and commands are the CLI's own: it runs where they are. An editor offers its own because it holds unsaved text; with such an
    // offer Gemini CLI 0.61 can make no new file, as it does not understand that one is missing.
    clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
  };
  const initialized = await within<InitializeResponse>(
    options,
    methods.agent.initialize,
    options.times.initialize_ms,
    () => agent.request(methods.agent.initialize, params),
  );
  if (initialized.protocolVersion === PROTOCOL_VERSION) return initialized;
  throw failure(
    `The agent speaks version ${initialized.protocolVersion} of the Agent Client Protocol, and this runner version ${PROTOCOL_VERSION}.`,
  );
}

/** Whether the CLI still knows the session. What it tells of it has been told before. */
async function load(
  options: SessionOptions,
  { agent }: ClientConnection,
  sessionId: string,
): Promise<boolean> {
  const { cwd, story, times } = options;
  story.muted = true;
  try {
    await within<unknown>(options, methods.agent.session.load, times.session_ms, () =>
      agent.request(methods.agent.session.load, { cwd, mcpServers: [], sessionId }),
    );
    return true;
  } catch (error) {
    if (error instanceof AppError && error.cause instanceof RequestError) return false;
    throw error;
  } finally {
    // Updates that came with the answer are on their way to the story.
    await nextTurn();
    story.muted = false;
  }
}

async function create(
  options: SessionOptions,
  connection: ClientConnection,
  initialized: InitializeResponse,
): Promise<string> {
  const { cwd, times } = options;
  const ask = (): Promise<NewSessionResponse> =>
    within(options, methods.agent.session.new, times.session_ms, () =>
      connection.agent.request(methods.agent.session.new, { cwd, mcpServers: [] }),
    );
  const opened = await ask().catch(async (error: unknown) => {
    if (!(error instanceof AppError) || !isAuthRequired(error.cause)) throw error;
    await authenticate(options, connection, initialized);
    return ask();
  });
  return opened.sessionId;
}

async function authenticate(
  options: SessionOptions,
  { agent }: ClientConnection,
  { authMethods = [] }: InitializeResponse,
): Promise<void> {
  const method = authMethods.find(({ id }) => BY_KEY.test(id));
  if (method === undefined) {
    const offered = authMethods.map(({ id }) => id).join(", ") || "none";
    throw failure(
      `The agent wants a sign-in, and offers no way that needs only a key (it offers: ${offered}).`,
    );
  }
  await within<unknown>(options, methods.agent.authenticate, options.times.session_ms, () =>
    agent.request(methods.agent.authenticate, { methodId: method.id }),
  );
}

/** A request of the session's beginning, which must be answered in time. */
async function within<T>(
  options: SessionOptions,
  method: string,
  limit_ms: number,
  request: () => Promise<T>,
): Promise<T> {
  const { signal, cli } = options;
  const late = AbortSignal.timeout(limit_ms);
  const ended = AbortSignal.any([signal, late]);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  const abort = (): void => {
    const seconds = limit_ms / 1000;
    if (signal.aborted) aborted.reject(signal.reason);
    else
      aborted.reject(failure(`The agent did not answer \`${method}\` within ${seconds} s.${cli.last_words}`));
  };
  if (ended.aborted) abort();
  else ended.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([orFailure(options, method, request), aborted.promise]);
  } finally {
    ended.removeEventListener("abort", abort);
  }
}

/** The answer to a request; AppError when it is refused, or when the CLI ends before it. */
async function orFailure<T>({ cli }: SessionOptions, method: string, request: () => Promise<T>): Promise<T> {
  const answered = request().catch(async (cause: unknown) => {
    if (cause instanceof RequestError) throw failure(`${refusal(method, cause)}${cli.last_words}`, cause);
    // The connection closes with the CLI, which says why.
    throw await cli.failure;
  });
  answered.catch(() => undefined);
  return Promise.race([
    answered,
    cli.failure.then((error) => {
      throw error;
    }),
  ]);
}

function refusal(method: string, error: RequestError): string {
  const { data } = error;
  const detail =
    typeof data === "object" && data !== null && "message" in data && typeof data.message === "string"
      ? data.message
      : typeof data === "object" && data !== null && "details" in data && typeof data.details === "string"
        ? data.details
        : null;
  const words =
    detail === null || error.message.includes(detail) ? error.message : `${error.message}: ${detail}`;
  return method === "session/prompt"
    ? `The agent failed: ${words}.`
    : `The agent refused \`${method}\`: ${words}.`;
}

function isAuthRequired(cause: unknown): boolean {
  return cause instanceof RequestError && cause.code === AUTH_REQUIRED;
}

function failure(message: string, cause?: unknown): AppError {
  return new AppError({ code: "not_available", message, cause });
}
