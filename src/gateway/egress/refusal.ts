import { AppError, type ErrorCode } from "../../contract/errors.ts";
import type { EgressPolicy } from "../../contract/job.ts";
import type { Denial } from "../../core/outbound.ts";

const REASON_MAX_CHARS = 160;

/** Why a connection does not come about. */
export type Refusal = {
  status: 400 | 403 | 429 | 502 | 504;
  code: ErrorCode;
  /** The rule that was broken; null when nothing was, such as for a host that does not answer. */
  rule: Denial["rule"] | null;
  message: string;
  /** What a person can do about it; empty when nothing. */
  hint: string;
};

export function refused(rule: Denial["rule"], message: string, hint = ""): Refusal {
  return { status: 403, code: "egress_denied", rule, message, hint };
}

/** For what is no request that a proxy takes. */
export function malformed(message: string, rule: "request" | "name" = "request"): Refusal {
  return { status: 400, code: "malformed_request", rule, message, hint: "" };
}

/** For a job that has too much open already. */
export function overLimit(message: string): Refusal {
  return {
    status: 429,
    code: "too_many_requests",
    rule: "limit",
    message,
    hint: "The limits are egress.* in config.json.",
  };
}

/** For a host that cannot be found or does not answer, which is no refusal of ours. */
export function unreachable(message: string, status: 502 | 504 = 502): Refusal {
  return { status, code: "unreachable", rule: null, message, hint: "" };
}

/** For a host that the policy of the job does not list; `asked` when a person could have let it through. */
export function offTheList(
  policy: EgressPolicy,
  target: { host: string; port: number },
  asked: boolean,
): Refusal {
  const { host, port } = target;
  if (policy === "none") {
    const hint = "Schedule it with another one, such as: sealwork run --egress packages";
    return refused("policy", 'The egress policy "none" of this job lets nothing out.', hint);
  }
  const message = `The egress policy "${policy}" of this job does not list ${host}:${port}`;
  const hint = `Allow it with: sealwork run --allow ${host} (egress.hosts in the API), or while the job runs: sealwork allow ID ${host} (POST /jobs/{id}/egress).`;
  return asked
    ? refused("approval", `${message}, and nobody let it through when asked.`, hint)
    : refused("policy", `${message}.`, hint);
}

/** What the client reads of it, in the form of all our errors. */
export function refusalBody({ code, message, hint }: Refusal): string {
  const error = new AppError({ code, message, hint: hint === "" ? undefined : hint });
  return `${ascii(JSON.stringify(error.toBody()))}\n`;
}

/** The reason phrase of the status line, which is all that many programs show. */
export function refusalReason({ message }: Refusal): string {
  return ascii(message).slice(0, REASON_MAX_CHARS);
}

/** The whole answer, for a connection that no HTTP server answers on. */
export function refusalAnswer(refusal: Refusal): string {
  const body = refusalBody(refusal);
  return (
    `HTTP/1.1 ${refusal.status} ${refusalReason(refusal)}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  );
}

function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
