import type { EgressPolicy } from "../../contract/job.ts";
import type { Denial } from "../../core/outbound.ts";

const REASON_MAX_CHARS = 160;

/** Why a connection does not come about. */
export type Refusal = {
  status: 400 | 403 | 502 | 503 | 504;
  /** The rule that was broken; null when nothing was, such as for a host that does not answer. */
  rule: Denial["rule"] | null;
  message: string;
  /** What a person can do about it; empty when nothing. */
  hint: string;
};

export function refused(rule: Denial["rule"], message: string, hint = ""): Refusal {
  return { status: 403, rule, message, hint };
}

/** For a host that the policy of the job does not list. */
export function offTheList(policy: EgressPolicy, host: string, port: number): Refusal {
  if (policy === "none")
    return refused(
      "policy",
      `The egress policy "none" of this job lets nothing out.`,
      "Schedule it with another one, such as: sealwork run --egress packages",
    );
  return refused(
    "policy",
    `The egress policy "${policy}" of this job does not list ${host}:${port}.`,
    `Allow it with: sealwork run --allow ${host} (in the API: egress.hosts, or for a running job POST /jobs/{id}/egress).`,
  );
}

/** What the client reads of it; many show the first line only, some nothing but the reason of the status line. */
export function refusalBody({ message, hint }: Refusal): string {
  return ascii(`Sealwork: ${message}\n${hint === "" ? "" : `${hint}\n`}`);
}

/** The reason phrase of the status line. */
export function refusalReason({ message }: Refusal): string {
  return ascii(message)
    .replace(/[\r\n]/g, " ")
    .slice(0, REASON_MAX_CHARS);
}

/** The whole answer, for a connection that no HTTP server answers on. */
export function refusalAnswer(refusal: Refusal): string {
  const body = refusalBody(refusal);
  return (
    `HTTP/1.1 ${refusal.status} ${refusalReason(refusal)}\r\n` +
    "Content-Type: text/plain; charset=us-ascii\r\n" +
    `Content-Length: ${body.length}\r\n` +
    `Connection: close\r\n\r\n${body}`
  );
}

function ascii(text: string): string {
  return text.replace(/[^\n\x20-\x7e]/g, "?");
}
