import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import type { Provider } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import type { Log } from "../../core/dependencies.ts";
import type { Outbound } from "../../core/outbound.ts";
import type { OutServices } from "../out-services.ts";
import type { BrokerDeps, BrokerOptions } from "./broker-options.ts";
import { ModelCallRun } from "./model-call.ts";
import { answerError } from "./provider-error.ts";
import { RequestBodies } from "./request-bodies.ts";
import type { Pace } from "./retry.ts";
import { modelRoute, ROUTES_ALLOWED } from "./routes.ts";
import { Upstream } from "./upstream.ts";

const HEADERS_MAX_BYTES = 32 * 1024;
/** Requests on one connection: far above what an agent makes, and an end to a connection that only costs. */
const REQUESTS_PER_CONNECTION_MAX = 10_000;

export type Broker = { models: OutServices["models"] } & AsyncDisposable;

/**
 * Serves model calls out of sandboxes: HTTP/1.1 on connections that are given to it, `/{provider}/{what follows its base URL}`. A call
 * passes byte for byte, except that the real key takes the place of the one that the program gave. A program that ends its side of a
 * connection ends its call.
 */
export function createBroker(options: BrokerOptions): Broker {
  const upstream = new Upstream({ proxy: options.proxy ?? null });
  const callers = new WeakMap<object, Outbound>();
  const connections = new Set<Duplex>();
  const pace: Pace = {
    now: () => Date.now(),
    sleep: (ms, signal) => wait(ms, undefined, { signal }),
    random: Math.random,
    ...options.pace,
  };
  const deps = { ...options, upstream, pace, bodies: new RequestBodies() };

  const server = createServer({ maxHeaderSize: HEADERS_MAX_BYTES, noDelay: true }, (request, response) => {
    const caller = callers.get(request.socket);
    if (caller === undefined) request.socket.destroy();
    else void serve(request, response, caller, deps);
  });
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX;
  // Without a listener CONNECT would be answered by silence.
  server.on("connect", (_request, socket) =>
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
  );

  return {
    models(connection, outbound) {
      callers.set(connection, outbound);
      connections.add(connection);
      connection.on("error", () => connection.destroy());
      connection.once("close", () => connections.delete(connection));
      server.emit("connection", connection);
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.destroy();
      upstream[Symbol.dispose]();
    },
  };
}

/** Never rejects: what goes wrong is answered in the form of the provider's protocol. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  caller: Outbound,
  deps: BrokerDeps,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("The program that called has gone."));
  });
  request.on("error", () => undefined);
  response.on("error", () => undefined);
  const [, name = "", rest = ""] = /^\/([a-z0-9-]{1,63})(\/.*)?$/.exec(request.url ?? "") ?? [];
  const provider = deps.providers.find((one) => one.name === name && caller.providers.includes(name));
  try {
    if (provider === undefined) throw unknownProvider(caller);
    const method = request.method ?? "";
    const route = modelRoute(provider.protocol, method, rest);
    if (route === null) throw unknownRoute(provider, method, rest);
    await deps.bodies.with(request, caller, gone.signal, (body) =>
      new ModelCallRun({ provider, route, method, caller, deps }).run(
        { headers: request.headers, body },
        response,
        gone.signal,
      ),
    );
  } catch (error) {
    // What is still on its way of a body is let go, so that the answer is not held up behind it.
    request.resume();
    if (gone.signal.aborted) {
      response.destroy();
      return;
    }
    answerError(response, provider?.protocol ?? "openai", known(error, deps.log));
  }
}

function known(error: unknown, log: Log): AppError {
  if (error instanceof AppError) return error;
  // The name and no more: what is in a message of the platform, such as a header that it refuses, may be a key.
  log("error", "A model call failed by a fault of the broker.", {
    error: error instanceof Error ? error.name : typeof error,
    code: error instanceof Error && "code" in error ? String(error.code) : null,
  });
  return new AppError({ code: "internal", message: "A fault of Sealwork's broker; its log has the detail." });
}

function unknownProvider(caller: Outbound): AppError {
  const names = caller.providers.length === 0 ? "none" : caller.providers.join(", ");
  return new AppError({
    code: "model_route_denied",
    message: `The path does not begin with a provider that this job may call (it may call: ${names}).`,
    hint: "Use the base URL that the agent was given; providers are configured in config.json or by environment variables of the orchestrator.",
  });
}

function unknownRoute(provider: Provider, method: string, rest: string): AppError {
  const path = rest.split("?")[0]?.slice(0, 200) ?? "";
  return new AppError({
    code: "model_route_denied",
    message: `${method} ${path} is not a model route of ${provider.name}, or its query has something that is not passed.`,
    hint: `These pass: ${ROUTES_ALLOWED[provider.protocol]}. Other things on that host can be reached only through the egress proxy, without the key.`,
  });
}
