import { z } from "zod";
import { PlainName } from "./plain-name.ts";

/** Where the dashboard is on this machine. No preview is ever below it: a name below it is the same site, and shares its cookies. */
export const DASHBOARD_NAME = "sealwork.localhost";

/** What is typed or pasted on the dashboard's sign-in page. */
export const SignInRequest = z.strictObject({
  token: z
    .string()
    .trim()
    .min(1)
    .max(400)
    .meta({ description: "A sign-in token of this server, or the one in its data folder." }),
});

export const SignInLinkRequest = z.strictObject({
  path: z
    .string()
    .max(2000)
    .regex(/^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/, "A path begins with one / and is percent-encoded.")
    .default("/")
    .meta({ description: "The page of the dashboard that opens." }),
});
export const SignInLinkAnswer = z.object({
  url: z.string().meta({ description: "Signs one browser in, once, within 30 s." }),
});
export type SignInLinkAnswer = z.infer<typeof SignInLinkAnswer>;

/** Sign-ins that this server knows at most, and how long a browser stays signed in. */
export const TOKENS_MAX = 1000;
export const BROWSER_SIGN_IN_MAX_S = 30 * 24 * 3600;

export const TokenName = PlainName;

/** A way in: a token that a program bears, or a browser that was signed in. Never with its secret. */
export const Token = z.object({
  token_id: z.string(),
  kind: z.enum(["token", "browser"]),
  name: z.string().meta({ description: "As it was named; for a browser what it says it is." }),
  made_at: z.iso.datetime(),
  last_used_at: z.iso.datetime().nullable().meta({ description: "To the minute." }),
  expires_at: z.iso.datetime().nullable(),
  current: z.boolean().meta({ description: "Whether this very request came in by it." }),
});
export type Token = z.infer<typeof Token>;
export const TokensAnswer = z.object({ tokens: z.array(Token) });
export type TokensAnswer = z.infer<typeof TokensAnswer>;

export const TokenRequest = z.strictObject({
  name: TokenName,
  expires_in_s: z
    .int()
    .min(60)
    .max(10 * 365 * 24 * 3600)
    .nullable()
    .default(null),
});
export type TokenRequestInput = z.input<typeof TokenRequest>;
export const TokenMade = Token.extend({
  token: z.string().meta({ description: "Shown this one time; only its hash is kept." }),
});
export type TokenMade = z.infer<typeof TokenMade>;
