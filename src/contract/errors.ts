import type { ErrorBody, ErrorDetail } from "./error-body.ts";

/**
 * Every error code: its HTTP status, whether the same call may succeed later, and what it means.
 * Server, CLI and runner share this table; `docs/errors.md` lists the same codes, and a test holds both together.
 */
export const ERRORS = {
  invalid_json: { status: 400, retryable: false, meaning: "The body is not JSON." },
  invalid_id: { status: 400, retryable: false, meaning: "The id is malformed." },
  invalid_upload: {
    status: 400,
    retryable: false,
    meaning: "An uploaded file or archive is malformed or unsafe.",
  },
  invalid_path: { status: 400, retryable: false, meaning: "The path leaves the workspace or is malformed." },
  malformed_request: { status: 400, retryable: false, meaning: "What was sent is not an HTTP request." },
  unauthorized: {
    status: 401,
    retryable: false,
    meaning: "Token or sign-in is missing, wrong, revoked or expired.",
  },
  forbidden_origin: { status: 403, retryable: false, meaning: "Host, Origin or Sec-Fetch-Site is foreign." },
  not_found: { status: 404, retryable: false, meaning: "There is no such job, file, blob, token or route." },
  not_ended: { status: 404, retryable: true, meaning: "The job has not ended, so there is no ZIP yet." },
  method_not_allowed: {
    status: 405,
    retryable: false,
    meaning: "The route exists, but not for this method.",
  },
  not_acceptable: { status: 406, retryable: false, meaning: "None of the wanted formats can be given." },
  request_timeout: { status: 408, retryable: true, meaning: "The request did not arrive in time." },
  conflict: {
    status: 409,
    retryable: false,
    meaning: "The state of the job, or of the server, does not allow this.",
  },
  idempotency_mismatch: {
    status: 409,
    retryable: false,
    meaning: "The Idempotency-Key was used before with another body.",
  },
  expired: { status: 410, retryable: false, meaning: "The job was removed after the retention time." },
  precondition_failed: {
    status: 412,
    retryable: false,
    meaning: "Something is there already, and the request forbids to replace it.",
  },
  body_too_large: { status: 413, retryable: false, meaning: "The body is larger than this server takes." },
  unsupported_media_type: { status: 415, retryable: false, meaning: "The content type is not taken here." },
  range_not_satisfiable: { status: 416, retryable: false, meaning: "The range lies outside the file." },
  invalid_request: {
    status: 422,
    retryable: false,
    meaning: "The body or query breaks the schema; see details.",
  },
  version_mismatch: {
    status: 426,
    retryable: false,
    meaning: "Client and server are too far apart in version.",
  },
  too_many_requests: { status: 429, retryable: true, meaning: "Too many requests from this client." },
  queue_full: { status: 429, retryable: true, meaning: "Too many jobs are waiting already." },
  headers_too_large: {
    status: 431,
    retryable: false,
    meaning: "The request line and headers are too large.",
  },
  egress_denied: {
    status: 403,
    retryable: false,
    meaning: "The egress policy of the job does not allow this connection.",
  },
  model_route_denied: {
    status: 403,
    retryable: false,
    meaning: "Only the model routes of the job's providers can be called.",
  },
  budget_exhausted: {
    status: 403,
    retryable: false,
    meaning: "The budget of the job does not allow another model call.",
  },
  model_unavailable: {
    status: 502,
    retryable: true,
    meaning: "The provider of the model did not answer.",
  },
  port_unanswered: {
    status: 502,
    retryable: true,
    meaning: "Nothing in the sandbox answers at that port.",
  },
  internal: { status: 500, retryable: false, meaning: "A fault of the server; its log has the detail." },
  not_available: { status: 501, retryable: false, meaning: "This version does not have it." },
  disk_full: {
    status: 507,
    retryable: false,
    meaning: "The job has no room for it on its disk.",
  },
  link_lost: {
    status: 503,
    retryable: true,
    meaning: "The sandbox of the job does not answer at the moment.",
  },
  engine_unreachable: { status: 503, retryable: true, meaning: "The container engine does not answer." },
  engine_missing: { status: 503, retryable: false, meaning: "No container engine was found." },
  engine_not_local: {
    status: 503,
    retryable: false,
    meaning: "The container engine does not share sockets in a mounted folder with this machine.",
  },
  image_missing: { status: 503, retryable: false, meaning: "The image of the template is missing." },
  image_build_failed: {
    status: 503,
    retryable: false,
    meaning: "The image of the template could not be built.",
  },
  setup_failed: { status: 503, retryable: false, meaning: "A step of the set-up failed." },
  shutting_down: { status: 503, retryable: true, meaning: "The server is stopping." },
  state_locked: { status: 503, retryable: false, meaning: "Another orchestrator holds the state folder." },
  invalid_config: { status: 500, retryable: false, meaning: "The configuration file is not valid." },
  usage: { status: 400, retryable: false, meaning: "The command line is not valid." },
  unreachable: { status: 503, retryable: true, meaning: "No server answers." },
  protocol_violated: { status: 502, retryable: false, meaning: "The runner broke the rules of the link." },
} as const satisfies Record<string, { status: number; retryable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Why a job ended otherwise than complete. `hint` is what a person can do about it when nothing better is known. */
export const REASONS = {
  agent_failed: "Read the transcript; change the prompt or the model, then retry.",
  step_failed: "Read the output of the failed step, mend it, then retry; a fence marked `continue` may fail.",
  timed_out: "Give the job more time (limits.timeout_s) or less to do.",
  idle_timed_out:
    "Nothing happened for too long; raise limits.idle_timeout_s or let the work print its progress.",
  out_of_memory: "Give the job more memory (limits.memory_bytes) or let it hold less at a time.",
  disk_full: "Give the job more disk (limits.disk_bytes) or let it remove what it no longer needs.",
  sandbox_died: "The sandbox ended unexpectedly; retry the job.",
  sandbox_start_failed: "Run `sealwork doctor`; it says what is wrong with the engine or the image.",
  image_missing: "Build or pull the image that the template names, then retry.",
  budget_exhausted: "Raise the budget of the job, then retry.",
  cancelled_by_user: "Retry the job when you want it after all.",
  orchestrator_lost: "The sandbox was gone when the orchestrator came back; retry the job.",
  protocol_violated: "The sandbox broke the rules of the link and was ended; do not trust what it made.",
  internal: "A fault of Sealwork; its log has the detail. Retry, and report it if it comes again.",
} as const satisfies Record<string, string>;

export type ReasonCode = keyof typeof REASONS;
export const REASON_CODES = Object.keys(REASONS) as [ReasonCode, ...ReasonCode[]];

/** One broken field of a request, in the form that FastAPI's users know. */
/** What went wrong in the world (never a bug of ours): a code, what happened to which id, and what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: ErrorDetail[] | undefined;

  constructor(options: {
    code: ErrorCode;
    message: string;
    hint?: string | undefined;
    details?: ErrorDetail[] | undefined;
    cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = options.code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  toBody(): ErrorBody {
    const error: ErrorBody["error"] = { code: this.code, message: this.message };
    if (this.hint !== undefined) error.hint = this.hint;
    if (this.details !== undefined) error.details = this.details;
    return { error };
  }
}
