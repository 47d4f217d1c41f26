import { queryOptions } from "@tanstack/react-query";
import type { AgentsAnswer, DoctorAnswer, ProvidersAnswer, Template } from "../../../src/contract/api.ts";
import type { TokenMade, TokenRequestInput, TokensAnswer } from "../../../src/contract/sign-in-api.ts";
import { request, requestJson } from "./request.ts";

/** What does not change while a server runs. */
const FIXED = { staleTime: Number.POSITIVE_INFINITY };

export const agentsQuery = queryOptions({
  queryKey: ["agents"],
  queryFn: ({ signal }) => requestJson<AgentsAnswer>("/agents", { signal }),
  ...FIXED,
});

export const templatesQuery = queryOptions({
  queryKey: ["templates"],
  queryFn: ({ signal }) => requestJson<{ templates: Template[] }>("/templates", { signal }),
  ...FIXED,
});

export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => requestJson<ProvidersAnswer>("/providers", { signal }),
  ...FIXED,
});

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: ({ signal }) => requestJson<TokensAnswer>("/tokens", { signal }),
});

/** Takes seconds: it tries the engine. */
export const doctorQuery = queryOptions({
  queryKey: ["doctor"],
  queryFn: ({ signal }) => requestJson<DoctorAnswer>("/doctor", { signal }),
  staleTime: 60_000,
});

export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: ({ signal }) => requestJson<{ status: "ok"; version: string }>("/healthz", { signal }),
  ...FIXED,
});

/** The answer alone has the token itself. */
export function makeToken(wanted: TokenRequestInput): Promise<TokenMade> {
  return requestJson("/tokens", { method: "POST", json: wanted });
}

/** Whoever came in by it is out from then on. */
export async function revokeToken(token_id: string): Promise<void> {
  await request(`/tokens/${token_id}`, { method: "DELETE" });
}

/** Signs this browser out. */
export async function signOut(): Promise<void> {
  await request("/sign-out", { method: "POST" });
}
