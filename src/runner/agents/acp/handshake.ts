import { methods, PROTOCOL_VERSION, RequestError } from "@agentclientprotocol/sdk";
import * as z from "zod/mini";
import { AppError } from "../../../contract/errors.ts";
import { VERSION } from "../../../contract/version.ts";
import { askWithin, type Connected, failure } from "./requests.ts";
import type { SessionStory } from "./session-story.ts";

/** How long the steps of a session's beginning, and its end, may take. */
export type SessionTimes = { initialize_ms: number; session_ms: number; cancel_ms: number };

export type Handshake = Connected & { story: SessionStory; cwd: string; times: SessionTimes };

/** The protocol's code for a session that wants a sign-in first. */
const AUTH_REQUIRED = -32000;
/** The way of signing in that needs nobody: the key that the CLI's environment or files already hold. */
const BY_KEY = /api[-_]?key/i;
/** A method of our own that no CLI knows: names that begin so are left to those who speak the protocol, and each request has an answer. */
const NO_METHOD = "_sealwork/all_told";
const ALL_TOLD_MS = 5_000;

const Initialized = z.object({
  protocolVersion: z.number(),
  agentCapabilities: z.optional(z.object({ loadSession: z.optional(z.boolean()) })),
  authMethods: z._default(z.array(z.object({ id: z.string() })), []),
});
type Initialized = z.infer<typeof Initialized>;
const Created = z.object({ sessionId: z.string() });

/** Begins a session, on from `earlier` where there is one and the CLI still knows it. Throws AppError when the CLI does not let it. */
export async function shakeHands(
  handshake: Handshake,
  earlier: string | null,
): Promise<{ id: string; loaded: boolean }> {
  const initialized = await initialize(handshake);
  const can_load = initialized.agentCapabilities?.loadSession === true;
  if (earlier !== null && can_load && (await load(handshake, earlier))) return { id: earlier, loaded: true };
  return { id: await create(handshake, initialized), loaded: false };
}

async function initialize(handshake: Handshake): Promise<Initialized> {
  const params = {
    protocolVersion: PROTOCOL_VERSION,
    clientInfo: { name: "sealwork", version: VERSION },
    // Files and commands are the CLI's own: it runs where they are. An editor offers its own because it holds unsaved text; with such an
    // offer Gemini CLI 0.61 can make no new file, as it does not understand that one is missing.
    clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
  };
  const asked = { method: methods.agent.initialize, params, answer: Initialized };
  const initialized = await askWithin(handshake, asked, handshake.times.initialize_ms);
  if (initialized.protocolVersion === PROTOCOL_VERSION) return initialized;
  throw failure(
    `The agent speaks version ${initialized.protocolVersion} of the Agent Client Protocol, and this runner version ${PROTOCOL_VERSION}.`,
  );
}

/** Whether the CLI still knows the session. What it tells of it has been told before. */
async function load(handshake: Handshake, sessionId: string): Promise<boolean> {
  const { cwd, story, times } = handshake;
  const params = { cwd, mcpServers: [], sessionId };
  story.muted = true;
  try {
    const asked = { method: methods.agent.session.load, params, answer: z.unknown() };
    await askWithin(handshake, asked, times.session_ms);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.cause instanceof RequestError) return false;
    throw error;
  } finally {
    await allTold(handshake);
    story.muted = false;
  }
}

/**
 * Waits for what a CLI still tells of an earlier session after it has said that it is loaded, as Gemini CLI 0.61 does although the protocol
 * wants it the other way round: one more answer, be it a refusal, comes after all of that. A CLI that gives none is not waited for for long.
 */
async function allTold(handshake: Handshake): Promise<void> {
  const asked = { method: NO_METHOD, params: {}, answer: z.unknown() };
  await askWithin(handshake, asked, ALL_TOLD_MS).catch(() => undefined);
}

async function create(handshake: Handshake, initialized: Initialized): Promise<string> {
  const { cwd, times } = handshake;
  const asked = { method: methods.agent.session.new, params: { cwd, mcpServers: [] }, answer: Created };
  try {
    return (await askWithin(handshake, asked, times.session_ms)).sessionId;
  } catch (error) {
    if (!(error instanceof AppError) || !isAuthRequired(error.cause)) throw error;
  }
  await authenticate(handshake, initialized);
  return (await askWithin(handshake, asked, times.session_ms)).sessionId;
}

async function authenticate(handshake: Handshake, { authMethods }: Initialized): Promise<void> {
  const method = authMethods.find(({ id }) => BY_KEY.test(id));
  if (method === undefined) {
    const offered = authMethods.map(({ id }) => id).join(", ") || "none";
    throw failure(
      `The agent wants a sign-in, and offers no way that needs only a key (it offers: ${offered}).`,
    );
  }
  const params = { methodId: method.id };
  const asked = { method: methods.agent.authenticate, params, answer: z.unknown() };
  await askWithin(handshake, asked, handshake.times.session_ms);
}

function isAuthRequired(cause: unknown): boolean {
  return cause instanceof RequestError && cause.code === AUTH_REQUIRED;
}
