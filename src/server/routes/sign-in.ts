import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { AppError } from "../../contract/errors.ts";
import {
  DASHBOARD_NAME,
  SignInLinkAnswer,
  SignInLinkRequest,
  SignInRequest,
} from "../../contract/sign-in-api.ts";
import type { Caller } from "../../core/sign-ins.ts";
import { browserName } from "../browser-name.ts";
import { OneTimeCodes } from "../one-time-codes.ts";
import { dashboardOrigin, isLoopback, requireOrigin } from "../request-origin.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, rawAnswer } from "../route-schemas.ts";
import { browserOf, SIGN_OUT_COOKIE, signInCookie, unauthorized } from "../sign-in.ts";

/** How often somebody may try a token; who has one needs one try. */
const TRIES_MAX = 20;
const TRIES_WINDOW_MS = 60_000;
/** Where a link that cannot be used leads to: the page says so. */
const LINK_FAILED = "/sign-in?failed=link";

const SignInQuery = z.object({
  code: z.string().max(200).optional().meta({ description: "As `POST /sign-in/links` put it there." }),
});

/** How a browser comes to be signed in, and out again. */
export function signInRoutes(app: App, context: RouteContext): void {
  const { sign_ins, dashboard, origins } = context;
  const door = { sign_ins, origins };
  const codes = new OneTimeCodes<{ by: Caller; path: string }>(context.elapsed_ms);
  const tried = app.createRateLimit({ max: TRIES_MAX, timeWindow: TRIES_WINDOW_MS });

  app.post(
    "/sign-in",
    {
      config: { open: true },
      schema: {
        tags: ["sign-in"],
        summary: "Signs a browser in by a token",
        description:
          "For the dashboard's own page: it sets the browser's cookie, and is refused to every other page.",
        security: [],
        body: SignInRequest,
        response: {
          204: z.null().meta({ description: "Signed in." }),
          ...errorAnswers("invalid_json", "invalid_request", "conflict"),
        },
      },
    },
    async (request, reply) => {
      const { headers } = request;
      const own = dashboardOrigin(headers.host, origins);
      if (own === null) throw notHere();
      requireOrigin(headers.origin, own);
      const rate = await tried(request);
      if (!rate.isAllowed && rate.isExceeded) {
        reply.header("retry-after", rate.ttlInSeconds);
        throw new AppError({
          code: "too_many_requests",
          message: `More than ${TRIES_MAX} tokens were tried within a minute.`,
          hint: `Wait ${rate.ttlInSeconds} s.`,
        });
      }
      if (!sign_ins.required) return reply.code(204).send(null);
      const by = sign_ins.byToken(request.body.token);
      if (by === null)
        throw unauthorized("This is no token of this server, or it was revoked or has expired.", {
          hint: "`sealwork open` signs in without one; `sealwork token new NAME` makes one.",
        });
      await letIn(request, reply, by);
      return reply.code(204).send(null);
    },
  );

  app.post(
    "/sign-in/links",
    {
      schema: {
        tags: ["sign-in"],
        summary: "An address that signs one browser in",
        description: "It is good once, for 30 s, and leads to `path`.",
        body: SignInLinkRequest,
        response: {
          200: SignInLinkAnswer,
          ...errorAnswers("invalid_json", "invalid_request", "conflict"),
        },
      },
    },
    (request) => {
      const origin = originFor(request.headers.host, origins);
      const code = codes.make({ by: request.caller, path: request.body.path });
      return { url: `${origin}/sign-in?code=${code}` };
    },
  );

  app.get(
    "/sign-in",
    {
      exposeHeadRoute: false,
      config: { open: true },
      schema: {
        tags: ["sign-in"],
        summary: "Where a one-time address leads: signs the browser in; else the page that takes a token",
        security: [],
        querystring: SignInQuery,
        response: {
          200: rawAnswer("The dashboard's page.", "text/html"),
          303: z.null().meta({ description: "Signed in, and on to the page that was asked for." }),
          ...errorAnswers("invalid_request"),
        },
      },
    },
    async (request, reply) => {
      const { code } = request.query;
      if (code === undefined || dashboardOrigin(request.headers.host, origins) === null)
        return dashboard.send(request, reply);
      const granted = codes.use(code);
      const known = browserOf(request.raw, door);
      if (granted === null) return reply.redirect(known === null ? LINK_FAILED : "/", 303);
      // A browser that is signed in stays as it is, or each link would leave a sign-in that nobody uses.
      if (!sign_ins.required || known !== null) return reply.redirect(granted.path, 303);
      try {
        await letIn(request, reply, granted.by);
      } catch (error) {
        if (error instanceof AppError && error.code === "unauthorized")
          return reply.redirect(LINK_FAILED, 303);
        throw error;
      }
      return reply.redirect(granted.path, 303);
    },
  );

  app.post(
    "/sign-out",
    {
      schema: {
        tags: ["sign-in"],
        summary: "Signs this browser out, and ends what it has open",
        response: {
          204: z.null().meta({ description: "Signed out." }),
          ...errorAnswers(),
        },
      },
    },
    async (request, reply) => {
      const { caller } = request;
      if (caller.by === "browser") {
        request.outlive();
        await sign_ins.revoke(caller.token_id);
      }
      return reply.header("set-cookie", SIGN_OUT_COOKIE).code(204).send(null);
    },
  );

  /** Signs the browser in; what it was signed in by before ends. */
  async function letIn(request: FastifyRequest, reply: FastifyReply, by: Caller): Promise<void> {
    const before = browserOf(request.raw, door);
    const { record, secret } = await sign_ins.makeBrowser(by, browserName(request.headers["user-agent"]));
    const life_ms = Date.parse(record.expires_at ?? "") - Date.parse(record.made_at);
    reply.header("set-cookie", signInCookie(secret, Math.ceil(life_ms / 1000)));
    if (before !== null && "token_id" in before) await sign_ins.revoke(before.token_id);
  }
}

/** The dashboard's origin for who called this server by `host`: over the same port, as a tunnel may have another one than this server. */
function originFor(host: string | undefined, origins: readonly string[]): string {
  const here = dashboardOrigin(host, origins);
  if (here !== null) return here;
  const called = URL.parse(`http://${host ?? ""}`);
  if (called !== null && isLoopback(called.hostname)) {
    called.hostname = DASHBOARD_NAME;
    return called.origin;
  }
  const [first] = origins;
  if (first !== undefined) return first;
  throw new AppError({
    code: "conflict",
    message: "From another machine the dashboard has no address yet.",
    hint: "Give it one of https (`dashboard.origins` in config.json), or reach the server over `ssh -L 8000:127.0.0.1:8000`.",
  });
}

function notHere(): AppError {
  return new AppError({
    code: "forbidden_origin",
    message: "Browsers sign in at the dashboard's own address.",
    hint: `On this machine that is http://${DASHBOARD_NAME} with the server's port.`,
  });
}
