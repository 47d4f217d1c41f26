import picocolors from "picocolors";
import { AppError } from "../../contract/errors.ts";
import { type Token, TokenRequest } from "../../contract/sign-in-api.ts";
import { formatAge } from "../../contract/units.ts";
import type { Client } from "../client.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { mayColour } from "../io.ts";
import { shortId } from "../job-id.ts";
import { tableLines } from "../table.ts";
import { plainLine } from "../terminal-text.ts";

/** `token ls`: the tokens and browsers that may come in. */
export async function listTokens(context: Context): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const answer = await client.tokens(interrupt.signal);
  if (context.json) await printJson(context, answer);
  else if (answer.tokens.length === 0)
    await print(context, "No tokens, and no browser is signed in. This machine's own token is not listed.");
  else await print(context, lines(context, answer.tokens).join("\n"));
  return EXIT.complete;
}

/** `token new`: makes a token and prints it, this one time. */
export async function makeToken(
  context: Context,
  name: string,
  { expires }: { expires?: number },
): Promise<number> {
  using interrupt = interruptible(context.io);
  const asked = TokenRequest.safeParse({
    name,
    expires_in_s: expires === undefined ? null : Math.round(expires),
  });
  if (!asked.success) {
    const [issue] = asked.error.issues;
    throw new AppError({
      code: "usage",
      message: `The token cannot be made so: ${issue?.path[0] === "name" ? "its name" : "--expires"}: ${issue?.message}`,
      hint: "For example: sealwork token new ci --expires 30d",
    });
  }
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const made = await client.makeToken(asked.data, interrupt.signal);
  if (context.json) await printJson(context, made);
  else {
    await print(context, plainLine(made.token));
    context.io.stderr.write(
      `It is shown this one time. Revoke it with: sealwork token rm ${shortId(made.token_id)}\n`,
    );
  }
  return EXIT.complete;
}

/** `token rm`: revokes a token or signs a browser out; what it has open ends. */
export async function removeToken(context: Context, given: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const token = await resolveToken(client, given, interrupt.signal);
  await client.revokeToken(token.token_id, interrupt.signal);
  if (context.json) await printJson(context, { token_id: token.token_id, revoked: true });
  else await print(context, `${token.kind === "token" ? "Revoked" : "Signed out"}: ${plainLine(token.name)}`);
  return EXIT.complete;
}

/** By the whole id, or a beginning or end that one alone has. */
async function resolveToken(client: Client, given: string, signal: AbortSignal): Promise<Token> {
  const digits = given.trim().toLowerCase().replaceAll("-", "");
  const { tokens } = await client.tokens(signal);
  const fitting = tokens.filter(({ token_id }) => {
    const id = token_id.replaceAll("-", "");
    return digits.length >= 3 && (id.startsWith(digits) || id.endsWith(digits));
  });
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  throw new AppError({
    code: only === undefined ? "not_found" : "usage",
    message: only === undefined ? `There is no token '${given}'.` : `'${given}' fits several tokens.`,
    hint: "`sealwork token ls` lists them; give three or more characters of an id.",
  });
}

function lines(context: Context, tokens: Token[]): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const now_ms = Date.now();
  const ago = (at: string | null) =>
    at === null ? "never" : `${formatAge((now_ms - Date.parse(at)) / 1000)} ago`;
  const rows = tokens.map(({ token_id, kind, name, last_used_at, expires_at }) => [
    shortId(token_id),
    kind,
    plainLine(name),
    ago(last_used_at),
    expires_at === null ? "never" : `in ${formatAge((Date.parse(expires_at) - now_ms) / 1000)}`,
  ]);
  return tableLines([["ID", "KIND", "NAME", "USED", "EXPIRES"], ...rows], colours.dim);
}
