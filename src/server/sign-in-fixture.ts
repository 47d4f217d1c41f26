import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, request as openRequest } from "node:http";
import type { TestServer } from "./test-server.fake.ts";

export const TOKEN = "swt_the-token-of-the-installation";
export const BEARER = { authorization: `Bearer ${TOKEN}` };

export type Asked = { path: string; method?: string; headers?: Record<string, string>; json?: unknown };
export type Answer = { status: number; headers: IncomingHttpHeaders; text: string };

/** One request to the dashboard's own name, as a browser that went there sends it. */
export class Browser {
  readonly host: string;
  readonly origin: string;
  readonly #port: number;
  cookie = "";

  constructor({ port }: TestServer, host = `sealwork.localhost:${port}`, scheme = "http") {
    this.host = host;
    this.origin = `${scheme}://${host}`;
    this.#port = port;
  }

  /** `headers` go before what a page of this origin sends; one that is empty is left out. */
  async ask({ path, method = "GET", headers = {}, json }: Asked): Promise<Answer> {
    const own = method === "GET" || method === "HEAD" ? {} : { origin: this.origin };
    const all: Record<string, string> = {
      host: this.host,
      "sec-fetch-site": "same-origin",
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...(this.cookie === "" ? {} : { cookie: this.cookie }),
      ...own,
      ...headers,
    };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
    const request = openRequest({ port: this.#port, path, method, headers: sent, agent: false });
    request.end(json === undefined ? undefined : JSON.stringify(json));
    const [answer] = await once(request, "response");
    const text = Buffer.concat(await answer.toArray()).toString();
    return { status: answer.statusCode, headers: answer.headers, text };
  }

  /** Keeps the cookie that an answer sets. */
  keep({ headers }: Answer): string {
    const line = headers["set-cookie"]?.[0] ?? "";
    this.cookie = line.split(";")[0] ?? "";
    return line;
  }

  async signIn(): Promise<Answer> {
    const answer = await this.ask({ path: "/sign-in", method: "POST", json: { token: TOKEN } });
    assert.equal(answer.status, 204, answer.text);
    this.keep(answer);
    return answer;
  }
}

export async function link(server: TestServer, path = "/"): Promise<URL> {
  const answer = await fetch(`${server.url}/sign-in/links`, {
    method: "POST",
    headers: { ...BEARER, "content-type": "application/json" },
    body: JSON.stringify({ path }),
  });
  const { url } = (await answer.json()) as { url: string };
  return new URL(url);
}

export const codeOf = ({ pathname, search }: URL) => `${pathname}${search}`;
export const refusal = ({ status, text }: Answer) => [status, JSON.parse(text).error.code];
