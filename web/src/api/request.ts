import type { ErrorBody } from "../../../src/contract/error-body.ts";

/** An answer of the orchestrator that is no success; `status` 0 when there was none at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;
  readonly details: unknown;

  constructor(
    status: number,
    error: { code: string; message: string; hint?: string | undefined; details?: unknown },
  ) {
    super(error.message);
    this.name = "ApiError";
    this.status = status;
    this.code = error.code;
    this.hint = error.hint ?? null;
    this.details = error.details;
  }
}

type Options = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
};

type SignedOut = () => void;
const whenSignedOut = new Set<SignedOut>();

/** Calls back when the orchestrator wants a sign-in. */
export function onSignedOut(listener: SignedOut): () => void {
  whenSignedOut.add(listener);
  return () => whenSignedOut.delete(listener);
}

/** Asks the orchestrator; its answer as it is. Throws ApiError for everything but success. */
export async function request(path: string, options: Options = {}): Promise<Response> {
  const { method = "GET", json, headers = {}, signal } = options;
  const body = json === undefined ? options.body : JSON.stringify(json);
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: json === undefined ? headers : { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, { code: "unreachable", message: "The orchestrator cannot be reached." });
  }
  if (response.ok) return response;
  // An answer that breaks off says at least its status.
  throw answerFault(response.status, await response.text().catch(() => ""));
}

/** The same for JSON in the shape that the contract gives the route. */
export async function requestJson<T>(path: string, options: Options = {}): Promise<T> {
  const response = await request(path, {
    ...options,
    headers: { accept: "application/json", ...options.headers },
  });
  return response.json();
}

/** What an answer that is no success says. When it wants a sign-in, those who wait for that are told. */
export function answerFault(status: number, text: string): ApiError {
  if (status === 401) for (const listener of whenSignedOut) listener();
  try {
    const { error }: ErrorBody = JSON.parse(text);
    return new ApiError(status, error);
  } catch {
    return new ApiError(status, {
      code: "internal",
      message: `The orchestrator answered with status ${status}.`,
    });
  }
}
