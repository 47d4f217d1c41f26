import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "../../contract/config.ts";
import { DASHBOARD_NAME } from "../../contract/sign-in-api.ts";
import { isLoopback } from "../request-origin.ts";
import { pageHeaders } from "./page-policy.ts";

/** Stands in the built page where the nonce of its style sheets goes; `web/vite.config.ts` puts it there. */
export const NONCE_PLACE = "SEALWORK_NONCE";

/** Answers when the dashboard was not built. */
const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sealwork</title>
<h1>Sealwork</h1>
<p>The server runs, but without its dashboard. Type <code>sealwork setup</code>, which builds it or says why it cannot; then start the server
again (<code>sealwork stop</code>, <code>sealwork open</code>). Jobs go on meanwhile.</p>
<p>The interface for programs is described at <a href="/docs">/docs</a> and <a href="/openapi.json">/openapi.json</a>.</p>
</html>
`;

/** The one page of the dashboard, which all its addresses show. It holds no data, so nobody need be signed in to load it. */
export class DashboardPage {
  readonly #file: string | null;
  readonly #previews: Config["previews"];

  /** `folder` has the built dashboard; null when there is none. */
  constructor({ folder, previews }: { folder: string | null; previews: Config["previews"] }) {
    this.#file = folder === null ? null : join(folder, "index.html");
    this.#previews = previews;
  }

  /** Leads a browser that came by another name of this machine to the dashboard's own, where its sign-in is; else gives the page. */
  async send(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { host } = request.headers;
    reply.header("vary", "accept");
    const elsewhere = homeOf(host);
    if (elsewhere !== null) return reply.redirect(`${elsewhere}${request.url}`, 302);
    const built = await this.#read();
    const nonce = randomBytes(16).toString("base64");
    reply.headers(pageHeaders({ host, nonce, previews: this.#previews }));
    return reply
      .code(built === null ? 503 : 200)
      .type("text/html; charset=utf-8")
      .serializer((page: unknown) => String(page))
      .send((built ?? NOT_BUILT).replaceAll(NONCE_PLACE, nonce));
  }

  /** Read each time: it is small, and a build that comes later is there at the next load. */
  async #read(): Promise<string | null> {
    if (this.#file === null) return null;
    try {
      return await readFile(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }
}

/** The dashboard's own origin for who came by another loopback name; null for who is there, or came by a name that was configured. */
function homeOf(host: string | undefined): string | null {
  const called = URL.parse(`http://${host ?? ""}`);
  if (called === null || !isLoopback(called.hostname)) return null;
  called.hostname = DASHBOARD_NAME;
  return called.origin;
}
