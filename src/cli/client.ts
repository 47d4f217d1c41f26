import { randomUUID } from "node:crypto";
import {
  ApprovalAnswer,
  CancelAnswer,
  DoctorAnswer,
  EgressAnswer,
  JobsAnswer,
  type JobsQuery,
  MessageAnswer,
  OpenAnswer,
  ProvidersAnswer,
  ScheduleAnswer,
  VERSION_HEADER,
} from "../contract/api.ts";
import { ErrorBody } from "../contract/error-body.ts";
import { AppError, ERRORS, type ErrorCode } from "../contract/errors.ts";
import { Job, type JobRequestInput } from "../contract/job.ts";
import {
  SignInLinkAnswer,
  TokenMade,
  type TokenRequestInput,
  TokensAnswer,
} from "../contract/sign-in-api.ts";
import { PortList } from "../contract/surfaces.ts";
import { compareVersions, VERSION } from "../contract/version.ts";
import type { Endpoint } from "./local-server.ts";
import type { MultipartBody } from "./multipart.ts";
import { pause } from "./pause.ts";
import { plainText } from "./terminal-text.ts";

/** A read that fails to connect is tried again this often, after these pauses. */
const RETRY_PAUSES_MS = [100, 300, 1000];
const ERROR_BODY_MAX_BYTES = 256 * 1024;
const ANSWER_MAX_BYTES = 64 * 1024 * 1024;

export type ClientOptions = {
  endpoint: Endpoint;
  /** Asked after a failed connection: a local server that was restarted may answer elsewhere. */
  relocate: (() => Promise<Endpoint | null>) | null;
};

type Call = {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  body?: { json: unknown } | { parts: MultipartBody } | { content: AsyncIterable<Uint8Array> };
  signal: AbortSignal;
};

/** Of either form of the schema library. */
type Schema<T> = {
  safeParse(json: unknown): { success: true; data: T } | { success: false; error: Error };
};

/** The HTTP interface of a server. All methods throw AppError; `unreachable` when nothing answers. */
export class Client {
  #endpoint: Endpoint;
  readonly #relocate: ClientOptions["relocate"];

  constructor(options: ClientOptions) {
    this.#endpoint = options.endpoint;
    this.#relocate = options.relocate;
  }

  get url(): string {
    return this.#endpoint.url;
  }

  /** Schedules a job. The Idempotency-Key makes it safe to send the JSON again when the connection breaks. */
  async schedule(
    request: JobRequestInput,
    upload: MultipartBody | null,
    signal: AbortSignal,
  ): Promise<ScheduleAnswer> {
    const call: Call = {
      method: "POST",
      path: "/schedule",
      headers: { "idempotency-key": randomUUID() },
      body: upload === null ? { json: request } : { parts: upload },
      signal,
    };
    return this.#parsed(ScheduleAnswer, call, upload === null);
  }

  job(id: string, signal: AbortSignal): Promise<Job> {
    return this.#parsed(Job, { path: `/status/${id}`, signal }, true);
  }

  jobs(query: Partial<JobsQuery>, signal: AbortSignal): Promise<JobsAnswer> {
    return this.#parsed(JobsAnswer, { path: "/jobs", query, signal }, true);
  }

  /** Idempotent, so it may be sent again. */
  cancel(id: string, signal: AbortSignal): Promise<CancelAnswer> {
    return this.#parsed(CancelAnswer, { method: "POST", path: `/cancel/${id}`, signal }, true);
  }

  /** Says something to the agent of a job. Sent again it would be said twice, so a broken connection is an error. */
  message(id: string, text: string, signal: AbortSignal): Promise<MessageAnswer> {
    const call: Call = { method: "POST", path: `/jobs/${id}/messages`, body: { json: { text } }, signal };
    return this.#parsed(MessageAnswer, call, false);
  }

  /** Answers a question of a job; idempotent for the same decision, so it may be sent again. */
  decide(
    id: string,
    { n, decision }: { n: number; decision: "allow" | "deny" },
    signal: AbortSignal,
  ): Promise<ApprovalAnswer> {
    const path = `/jobs/${id}/approvals/${n}`;
    return this.#parsed(ApprovalAnswer, { method: "POST", path, body: { json: { decision } }, signal }, true);
  }

  /** Opens a host for a job; idempotent, so it may be sent again. */
  openEgress(id: string, host: string, signal: AbortSignal): Promise<EgressAnswer> {
    const path = `/jobs/${id}/egress`;
    return this.#parsed(EgressAnswer, { method: "POST", path, body: { json: { host } }, signal }, true);
  }

  /** What listens in the sandbox of a job. */
  ports(id: string, signal: AbortSignal): Promise<PortList> {
    return this.#parsed(PortList, { path: `/jobs/${id}/ports`, signal }, true);
  }

  /** An address for one browser tab; `surface` is `ports/N`, `jupyter` or `desktop`. What nobody uses is void soon, so it may be sent again. */
  openPreview(
    id: string,
    { surface, path }: { surface: string; path: string | undefined },
    signal: AbortSignal,
  ): Promise<OpenAnswer> {
    const call: Call = { method: "POST", path: `/jobs/${id}/${surface}/open`, query: { path }, signal };
    return this.#parsed(OpenAnswer, call, true);
  }

  /** An address that signs one browser in and leads to that page. What nobody uses is void soon, so it may be sent again. */
  signInLink(path: string, signal: AbortSignal): Promise<SignInLinkAnswer> {
    const call: Call = { method: "POST", path: "/sign-in/links", body: { json: { path } }, signal };
    return this.#parsed(SignInLinkAnswer, call, true);
  }

  tokens(signal: AbortSignal): Promise<TokensAnswer> {
    return this.#parsed(TokensAnswer, { path: "/tokens", signal }, true);
  }

  /** Sent again it would make two, so a broken connection is an error. */
  makeToken(request: TokenRequestInput, signal: AbortSignal): Promise<TokenMade> {
    const call: Call = { method: "POST", path: "/tokens", body: { json: request }, signal };
    return this.#parsed(TokenMade, call, false);
  }

  async revokeToken(token_id: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#request({ method: "DELETE", path: `/tokens/${token_id}`, signal }, false);
    await answer.body?.cancel();
  }

  providers(signal: AbortSignal): Promise<ProvidersAnswer> {
    return this.#parsed(ProvidersAnswer, { path: "/providers", signal }, true);
  }

  doctor(signal: AbortSignal): Promise<DoctorAnswer> {
    return this.#parsed(DoctorAnswer, { path: "/doctor", signal }, true);
  }

  /** Where a WebSocket of this server is opened, and with what headers. */
  live(call: Pick<Call, "path" | "query">): { url: URL; headers: Record<string, string> } {
    const url = this.#url(call);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return { url, headers: this.#headers() };
  }

  /** Looks for the server again after a connection was lost: one of this machine that was restarted may answer elsewhere. */
  async lookAgain(): Promise<void> {
    this.#endpoint = (await this.#relocate?.()) ?? this.#endpoint;
  }

  /** The open answer of a read, with a status below 400; the caller reads its body or cancels it. */
  async open(call: Omit<Call, "method" | "body">): Promise<Response> {
    return this.#request(call, true);
  }

  /** Sends content as it comes. It is read once, so a broken connection is an error. */
  send<T>(
    schema: Schema<T>,
    call: Pick<Call, "path" | "query" | "signal"> & { content: AsyncIterable<Uint8Array> },
  ): Promise<T> {
    const { content, ...to } = call;
    return this.#parsed(schema, { ...to, method: "PUT", body: { content } }, false);
  }

  async #parsed<T>(schema: Schema<T>, call: Call, retry: boolean): Promise<T> {
    const answer = await this.#request(call, retry);
    const text = await limitedText(answer, ANSWER_MAX_BYTES);
    const parsed = schema.safeParse(fromJson(text));
    if (parsed.success) return parsed.data;
    throw new AppError({
      code: "internal",
      message: `${this.url} answered ${call.path} with something that is no answer of a Sealwork server.`,
      hint: "Check the URL, and that client and server have the same version.",
      cause: parsed.error,
    });
  }

  async #request(call: Call, retry: boolean): Promise<Response> {
    for (let attempt = 0; ; attempt += 1) {
      let answer: Response;
      try {
        answer = await fetch(this.#url(call), this.#init(call));
      } catch (error) {
        call.signal.throwIfAborted();
        if (error instanceof AppError) throw error;
        // What the body itself found out (a bound, a file that changed) stands behind fetch's own error.
        if (error instanceof Error && error.cause instanceof AppError) throw error.cause;
        const pause_ms = RETRY_PAUSES_MS[attempt];
        if (!retry || pause_ms === undefined) throw this.unreachable(error);
        await pause(pause_ms, call.signal);
        await this.lookAgain();
        continue;
      }
      this.#checkVersion(answer);
      if (answer.status < 400) return answer;
      throw await errorOf(answer, this.url);
    }
  }

  #url(call: Pick<Call, "path" | "query">): URL {
    const base = this.#endpoint.url.endsWith("/") ? this.#endpoint.url : `${this.#endpoint.url}/`;
    const url = new URL(call.path.slice(1), base);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #init(call: Call): RequestInit {
    const headers: Record<string, string> = {
      accept: "application/json",
      ...call.headers,
      ...this.#headers(),
    };
    const init: RequestInit = {
      method: call.method ?? "GET",
      headers,
      signal: call.signal,
      redirect: "error",
    };
    if (call.body === undefined) return init;
    if ("json" in call.body) {
      headers["content-type"] = "application/json";
      return { ...init, body: JSON.stringify(call.body.json) };
    }
    if ("content" in call.body) {
      headers["content-type"] = "application/octet-stream";
      return { ...init, body: ReadableStream.from<Uint8Array>(call.body.content), duplex: "half" };
    }
    headers["content-type"] = call.body.parts.content_type;
    return { ...init, body: call.body.parts.stream(), duplex: "half" };
  }

  #headers(): Record<string, string> {
    const { token } = this.#endpoint;
    return { [VERSION_HEADER]: VERSION, ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  }

  #checkVersion(answer: Response): void {
    const theirs = answer.headers.get(VERSION_HEADER);
    if (theirs === null) return;
    const outcome = compareVersions({ client: VERSION, server: theirs });
    if (outcome.compatible) return;
    void answer.body?.cancel();
    throw new AppError({ code: "version_mismatch", message: outcome.message });
  }

  /** What is to be said when nothing answers. */
  unreachable(cause: unknown): AppError {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const why = inner instanceof Error ? ` (${plainText(inner.message || inner.name)})` : "";
    return new AppError({
      code: "unreachable",
      message: `No server answers at ${this.url}${why}.`,
      hint: "Start one with `sealwork serve`, or check SEALWORK_URL. `sealwork doctor` says what is wrong.",
      cause,
    });
  }
}

/** The error that an answer of 400 and above carries; what is not in our form becomes the nearest code. */
export async function errorOf(answer: Response, url: string): Promise<AppError> {
  const text = await limitedText(answer, ERROR_BODY_MAX_BYTES).catch(() => "");
  const body = ErrorBody.safeParse(fromJson(text));
  if (!body.success) {
    return new AppError({
      code: answer.status === 401 ? "unauthorized" : "internal",
      message: `${url} answered with HTTP status ${answer.status} and nothing that says why.`,
      hint: "Is it a Sealwork server? Check SEALWORK_URL.",
    });
  }
  const { code, message, hint, details } = body.data.error;
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "internal";
  const token = "Set SEALWORK_TOKEN to the server's token.";
  return new AppError({
    code: known,
    message,
    hint: hint ?? (known === "unauthorized" ? token : undefined),
    details,
  });
}

async function limitedText(answer: Response, bytes_max: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body ?? []) {
      size += chunk.byteLength;
      if (size > bytes_max) throw new Error("the answer is too large");
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Error && cause.name === "AbortError") throw cause;
    throw new AppError({ code: "unreachable", message: "The server's answer broke off.", cause });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
