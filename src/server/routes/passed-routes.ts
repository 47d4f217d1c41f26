import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { AppError } from "../../contract/errors.ts";
import type { App, RouteContext } from "../route-context.ts";
import { JobParams } from "../route-schemas.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** Below each of these paths this name is the API's own. */
const OPEN = "open";

export type PassedRequest = {
  request: FastifyRequest;
  /** Path and query below the route, byte for byte, beginning with `/`. */
  rest: string;
  signal: AbortSignal;
};

/** Passes what is asked for below a path, requests of all methods and WebSockets, with bodies that nobody here reads. */
export function passedRoutes(
  app: App,
  { requests, orchestrator }: RouteContext,
  prefix: string,
  pass: {
    request(passed: PassedRequest, response: ServerResponse): Promise<void>;
    socket(passed: PassedRequest, socket: Duplex): Promise<void>;
  },
): void {
  const segments = prefix.split("/").length;
  const restOf = ({ url = "" }: IncomingMessage) => {
    const [path = "", ...query] = url.split("?");
    const rest = `/${path.split("/").slice(segments).join("/")}`;
    return query.length === 0 ? rest : `${rest}?${query.join("?")}`;
  };
  app.register(async (inner) => {
    inner.removeAllContentTypeParsers();
    inner.addContentTypeParser("*", (_request, _body, done) => done(null));
    const passed: Omit<RouteOptions, "url"> = {
      method: METHODS,
      schema: { hide: true },
      onRequest: async (request, reply) => {
        if (Reflect.get(Object(request.params), "*") === OPEN) refuseMethod(request, reply);
      },
      // A WebSocket is passed on before the handler, which would accept it here.
      preHandler: async (request, reply) => {
        if (request.raw.headers.upgrade?.toLowerCase() !== "websocket") return;
        const { id } = JobParams.parse(request.params);
        const { ended } = await orchestrator.surfaces(id);
        const signal = AbortSignal.any([requests.stopping, ended]);
        const rest = restOf(request.raw);
        await pass.socket({ request, rest, signal }, request.raw.socket);
        reply.hijack();
      },
      handler: async (request, reply) => {
        const rest = restOf(request.raw);
        // Nothing goes through the framework unless this throws, which is while nothing was answered.
        await pass.request({ request, rest, signal: requests.signal(reply) }, reply.raw);
        reply.hijack();
      },
    };
    for (const url of [prefix, `${prefix}/*`]) inner.route({ ...passed, url });
  });
}

function refuseMethod(request: FastifyRequest, reply: FastifyReply): never {
  reply.header("allow", "POST");
  throw new AppError({
    code: "method_not_allowed",
    message: `${request.url.split("?")[0]?.slice(0, 200)} does not take ${request.method}.`,
    hint: "It takes POST.",
  });
}
