import type { IncomingMessage } from "node:http";
import { AppError } from "../contract/errors.ts";
import { DASHBOARD_NAME } from "../contract/sign-in-api.ts";
import type { Caller, SignIns } from "../core/sign-ins.ts";
import { dashboardOrigin, mayChange, requireOrigin } from "./request-origin.ts";

/** Of a browser that is signed in. The prefix keeps it to the one host that set it, over what counts as secure (RFC 6265bis, 4.1.3.2). */
export const SIGN_IN_COOKIE = "__Host-sealwork";
const ATTRIBUTES = "Path=/; HttpOnly; Secure; SameSite=Strict";

/** The `Set-Cookie` line that signs a browser in. */
export function signInCookie(secret: string, max_age_s: number): string {
  return `${SIGN_IN_COOKIE}=${secret}; ${ATTRIBUTES}; Max-Age=${max_age_s}`;
}

/** The `Set-Cookie` line that signs it out. */
export const SIGN_OUT_COOKIE = `${SIGN_IN_COOKIE}=; ${ATTRIBUTES}; Max-Age=0`;

export type DoorOptions = {
  sign_ins: Pick<SignIns, "required" | "byToken" | "byBrowser">;
  /** Origins of the dashboard beside that of this machine. */
  origins: readonly string[];
};

type Head = Pick<IncomingMessage, "method" | "headers">;

/**
 * Who makes a request whose `Host`, `Origin` and `Sec-Fetch-Site` were looked at. `Authorization: Bearer TOKEN` (RFC 6750) goes before a cookie. A
 * cookie counts at the dashboard's own origin alone, and for what does more than read only when a page of that origin says that it asks.
 * Throws AppError `unauthorized` and `forbidden_origin`.
 */
export function callerOf(head: Head, { sign_ins, origins }: DoorOptions): Caller {
  const { headers } = head;
  if (!sign_ins.required) {
    if (headers["sec-fetch-site"] !== undefined && mayChange(head))
      requireOrigin(headers.origin, dashboardOrigin(headers.host, origins));
    return { by: "anyone" };
  }
  if (headers.authorization !== undefined) return bearer(headers.authorization, sign_ins);
  const own = dashboardOrigin(headers.host, origins);
  const secret = own === null ? null : cookieSecret(headers.cookie);
  if (own === null || secret === null) throw unauthorized("A token is needed.");
  if (mayChange(head)) requireOrigin(headers.origin, own);
  const caller = sign_ins.byBrowser(secret);
  if (caller !== null) return caller;
  throw unauthorized("This browser is not signed in any more.");
}

/** The browser that is signed in where this request came in; null when none is. For reading only: see `callerOf`. */
export function browserOf({ headers }: Head, { sign_ins, origins }: DoorOptions): Caller | null {
  const secret = dashboardOrigin(headers.host, origins) === null ? null : cookieSecret(headers.cookie);
  return secret === null ? null : sign_ins.byBrowser(secret);
}

/** The secret in a `Cookie` header; null when there is none. With two of the name none can be trusted: throws AppError `unauthorized`. */
export function cookieSecret(header: string | undefined): string | null {
  const values = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${SIGN_IN_COOKIE}=`))
    .map((pair) => pair.slice(SIGN_IN_COOKIE.length + 1));
  if (values.length > 1)
    throw unauthorized(`This browser sent ${values.length} cookies ${SIGN_IN_COOKIE}.`, {
      hint: `Remove the cookies of ${DASHBOARD_NAME} in the browser, and sign in again.`,
    });
  return values[0] ?? null;
}

function bearer(authorization: string, sign_ins: DoorOptions["sign_ins"]): Caller {
  const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
  if (given === undefined) throw unauthorized("A token is needed.");
  const caller = sign_ins.byToken(given);
  if (caller === null) throw unauthorized("The token is not this server's, or not any more.");
  return caller;
}

export function unauthorized(message: string, { hint }: { hint?: string } = {}): AppError {
  return new AppError({
    code: "unauthorized",
    message,
    hint:
      hint ??
      "Send `Authorization: Bearer TOKEN`; the token is in the file `token` of the server's data folder. In a browser: `sealwork open`.",
  });
}
