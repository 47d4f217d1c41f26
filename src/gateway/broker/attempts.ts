import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { pipeline } from "node:stream";
import type { Provider } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import type { BrokerDeps } from "./broker-options.ts";
import { withoutKey } from "./key-scrub.ts";
import { askedPause, isRetried, pauseBefore } from "./retry.ts";
import { decoderOf, isPassing, type UpstreamRequest } from "./upstream.ts";

/** Of a refusal this much is read and passed on. */
const REFUSAL_MAX_BYTES = 256 * 1024;
/** Longer than any key: so much less is passed on of a refusal that was cut or broke off, since half a key at its end would not be found. */
const CUT_CHARS = 4 * 1024;

/** A provider's answer: one to pass on as it comes, or a refusal with its whole body, in which the key is not. */
export type Attempted =
  | { kind: "answer"; status: number; headers: IncomingHttpHeaders; answer: IncomingMessage }
  | { kind: "refused"; status: number; headers: IncomingHttpHeaders; body: string };

type Asking = {
  provider: Provider;
  key: string | null;
  request: UpstreamRequest;
  deps: BrokerDeps;
  signal: AbortSignal;
  /** Told of each attempt. */
  made: () => void;
};

/**
 * Asks a provider until it answers, refuses for good, or may not be asked again; then its last refusal is what it said. Throws AppError
 * `model_unavailable` when no answer came, or one that must not be followed; rejects with the signal's reason.
 */
export async function attempt(options: Asking): Promise<Attempted> {
  const { provider, key, request, deps, signal } = options;
  const begun = deps.pace.now();
  for (let next = 2; ; next += 1) {
    options.made();
    let refused: Attempted | null = null;
    let failed: unknown = null;
    let asked_ms: number | null = null;
    try {
      const answer = await deps.upstream.send(request, signal);
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) return { kind: "answer", status, headers: answer.headers, answer };
      if (status >= 300 && status < 400) {
        answer.destroy();
        throw redirected(provider, status);
      }
      const body = await refusalText(answer, key);
      refused = { kind: "refused", status, headers: answer.headers, body };
      if (!isRetried(status, body)) return refused;
      asked_ms = askedPause(answer.headers, body, deps.pace.now());
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError) throw error;
      failed = error;
      if (!isPassing(error)) throw unavailable(options, error);
    }
    const pause_ms = pauseBefore(next, { begun, asked_ms, pace: deps.pace });
    if (pause_ms === null) {
      if (refused !== null) return refused;
      throw unavailable(options, failed);
    }
    deps.log("info", "A provider of models is asked again.", {
      provider: provider.name,
      attempt: next,
      pause_ms: Math.round(pause_ms),
      status: refused?.status ?? null,
    });
    await deps.pace.sleep(pause_ms, signal);
  }
}

/** The body of a refusal as text, decoded and without the key; a part of one that is too long or breaks off. */
async function refusalText(answer: IncomingMessage, key: string | null): Promise<string> {
  const decoder = decoderOf(answer.headers["content-encoding"]);
  if (decoder === undefined) {
    answer.destroy();
    return "";
  }
  // Joined so that an answer that breaks off breaks the decoder too, which would wait for the rest for ever.
  const source = decoder === null ? answer : pipeline(answer, decoder, () => undefined);
  const chunks: Buffer[] = [];
  let length = 0;
  let whole = false;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, REFUSAL_MAX_BYTES - length));
      length += chunk.length;
      if (length >= REFUSAL_MAX_BYTES) break;
    }
    whole = length < REFUSAL_MAX_BYTES;
  } catch {
    // The status is what matters; what there is of the words is passed on.
  } finally {
    answer.destroy();
  }
  const text = withoutKey(Buffer.concat(chunks).toString(), key);
  return whole ? text : text.slice(0, -CUT_CHARS);
}

function redirected(provider: Provider, status: number): AppError {
  return new AppError({
    code: "model_unavailable",
    message: `The provider ${provider.name} answered with a redirect (${status}), which is not followed because it could carry the key elsewhere.`,
    hint: "Set its base_url to the address that it redirects to.",
  });
}

function unavailable({ provider, key, deps }: Asking, error: unknown): AppError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words = withoutKey(error instanceof Error ? error.message : String(error), key).slice(0, 500);
  deps.log("warn", "A provider of models could not be reached.", { provider: provider.name, error: words });
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO|ISSUER|TLS|SSL/.test(code);
  return new AppError({
    code: "model_unavailable",
    message: `The provider ${provider.name} could not be reached: ${words}.`,
    hint: certificate
      ? "Its certificate is not trusted: start the orchestrator with NODE_EXTRA_CA_CERTS set to the file of the authority."
      : "Check its base_url and that this machine reaches it; `sealwork doctor` shows what is configured.",
  });
}
