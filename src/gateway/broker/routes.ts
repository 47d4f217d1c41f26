import type { Protocol } from "../../contract/models.ts";

/** What may be asked of a provider. `metered` routes use tokens, of output too where the model `writes`; a null model is named by the body. */
export type ModelRoute = {
  metered: boolean;
  writes: boolean;
  model: string | null;
  /** What follows the provider's base URL, the query included, as it may be sent. */
  target: string;
};

type Use = Pick<ModelRoute, "metered" | "writes">;
type Rule = { method: "GET" | "POST"; path: RegExp } & Use;
const WRITES: Use = { metered: true, writes: true };
const READS: Use = { metered: true, writes: false };
const FREE: Use = { metered: false, writes: false };
const MODEL = "([A-Za-z0-9][A-Za-z0-9._:@-]{0,199})";
const GOOGLE = "/v1(?:beta|alpha)?/models";

/** A model's name has no slash here, so what is no plain name (`..`, an escape, tuned models, uploads) matches nothing. */
const RULES: Record<Protocol, readonly Rule[]> = {
  google: [
    rule("POST", `${GOOGLE}/([A-Za-z0-9][A-Za-z0-9._-]{0,199}):(?:streamG|g)enerateContent`, WRITES),
    rule("POST", `${GOOGLE}/([A-Za-z0-9][A-Za-z0-9._-]{0,199}):(?:embedContent|batchEmbedContents)`, READS),
    rule("POST", `${GOOGLE}/([A-Za-z0-9][A-Za-z0-9._-]{0,199}):countTokens`, FREE),
    rule("GET", `${GOOGLE}(?:/([A-Za-z0-9][A-Za-z0-9._-]{0,199}))?`, FREE),
  ],
  openai: [
    rule("POST", "/(?:chat/completions|responses|completions)", WRITES),
    rule("POST", "/embeddings", READS),
    rule("GET", `/models(?:/${MODEL})?`, FREE),
  ],
  anthropic: [
    rule("POST", "/v1/messages", WRITES),
    rule("POST", "/v1/messages/count_tokens", FREE),
    rule("GET", `/v1/models(?:/${MODEL})?`, FREE),
  ],
};

const PLAIN = /^[A-Za-z0-9._-]{0,500}$/;
const QUERY: Record<Protocol, Record<string, RegExp>> = {
  google: { alt: /^(sse|json)$/, pageSize: PLAIN, pageToken: /^[\w.=+/-]{0,500}$/, prettyPrint: PLAIN },
  openai: { after: PLAIN, limit: PLAIN, order: PLAIN, "api-version": PLAIN, client_version: PLAIN },
  anthropic: { beta: PLAIN, limit: PLAIN, after_id: PLAIN, before_id: PLAIN },
};
/** SDKs that send the key in the query send the dummy one, in whose place the real one goes. */
const KEY_PARAMETERS = ["key"];

/** The routes of each protocol, for people. */
export const ROUTES_ALLOWED: Record<Protocol, string> = {
  google:
    "POST /v1beta/models/{model}:generateContent, :streamGenerateContent, :countTokens, :embedContent, :batchEmbedContents and GET /v1beta/models[/{model}]",
  openai: "POST /chat/completions, /responses, /completions, /embeddings and GET /models[/{model}]",
  anthropic: "POST /v1/messages, /v1/messages/count_tokens and GET /v1/models[/{model}]",
};

/**
 * The route that a request means; null for anything that is not literally one. Nothing is decoded or normalised before the comparison, so
 * there is no second reading of a path that a provider could come to.
 */
export function modelRoute(protocol: Protocol, method: string, target: string): ModelRoute | null {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = queryOf(protocol, mark === -1 ? "" : target.slice(mark + 1));
  if (query === null) return null;
  for (const each of RULES[protocol]) {
    const match = each.method === method ? each.path.exec(path) : null;
    if (match === null) continue;
    return {
      metered: each.metered,
      writes: each.writes,
      model: match[1] ?? null,
      target: query === "" ? path : `${path}?${query}`,
    };
  }
  return null;
}

function queryOf(protocol: Protocol, text: string): string | null {
  const kept = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(text)) {
    if (KEY_PARAMETERS.includes(name)) continue;
    const known = Object.hasOwn(QUERY[protocol], name) ? QUERY[protocol][name] : undefined;
    if (known === undefined || kept.has(name) || !known.test(value)) return null;
    kept.append(name, value);
  }
  return kept.toString();
}

function rule(method: Rule["method"], path: string, use: Use): Rule {
  return { method, path: new RegExp(`^${path}$`), ...use };
}
