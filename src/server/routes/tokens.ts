import { z } from "zod";
import { AppError } from "../../contract/errors.ts";
import { type Token, TokenMade, TokenRequest, TokensAnswer } from "../../contract/sign-in-api.ts";
import type { Caller } from "../../core/sign-ins.ts";
import type { SignInRecord } from "../../core/store.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers } from "../route-schemas.ts";

const TokenParams = z.object({ token_id: z.uuid().toLowerCase() });
const MINUTE_MS = 60_000;

/** The tokens and browsers that may come in. */
export function tokenRoutes(app: App, { sign_ins }: RouteContext): void {
  app.get(
    "/tokens",
    {
      schema: {
        tags: ["sign-in"],
        summary: "Tokens and signed-in browsers, newest first, without their secrets",
        response: { 200: TokensAnswer, ...errorAnswers() },
      },
    },
    ({ caller }) => ({ tokens: sign_ins.list().map((record) => shown(record, caller)) }),
  );

  app.post(
    "/tokens",
    {
      schema: {
        tags: ["sign-in"],
        summary: "Makes a token for a program; this answer alone shows it",
        body: TokenRequest,
        response: { 200: TokenMade, ...errorAnswers("invalid_json", "invalid_request", "conflict") },
      },
    },
    async ({ body, caller }) => {
      const { record, secret } = await sign_ins.makeToken(caller, body);
      return { ...shown(record, caller), token: secret };
    },
  );

  app.delete(
    "/tokens/:token_id",
    {
      schema: {
        tags: ["sign-in"],
        summary: "Revokes a token, or signs a browser out; what it has open ends",
        params: TokenParams,
        response: {
          204: z.null().meta({ description: "Revoked." }),
          ...errorAnswers("invalid_id", "not_found"),
        },
      },
    },
    async (request, reply) => {
      const { token_id } = request.params;
      request.outlive();
      if (await sign_ins.revoke(token_id)) return reply.code(204).send(null);
      throw new AppError({
        code: "not_found",
        message: `There is no token ${token_id}.`,
        hint: "`GET /tokens` lists all there are.",
      });
    },
  );
}

function shown(record: SignInRecord, caller: Caller): Token {
  const { token_id, kind, name, made_at, last_used_at, expires_at } = record;
  const used_ms = last_used_at === null ? null : Math.floor(Date.parse(last_used_at) / MINUTE_MS) * MINUTE_MS;
  return {
    token_id,
    kind,
    name,
    made_at,
    last_used_at: used_ms === null ? null : new Date(used_ms).toISOString(),
    expires_at,
    current: "token_id" in caller && caller.token_id === token_id,
  };
}
