import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { App } from "../route-context.ts";
import type { DashboardPage } from "./dashboard-page.ts";

/** Addresses of the dashboard. `/` and `/job/:id` are routes for programs as well; who accepts HTML is a browser. */
const PAGES = ["/", "/new", "/job/:id", "/settings", "/settings/*"];
/** The files of a build bear a hash of their content in their name. */
const ASSETS_KEPT_MS = 365 * 24 * 3600 * 1000;
const ASSET = /^\/[\w-][\w.-]*\.(js|css|svg|png|ico|woff2|wasm|json)$/;

/** The constraint by which a route is for browsers only; programs do not see it. */
export const FOR_BROWSERS = { reader: "browser" };

/** Serves the dashboard's pages and, out of `folder`, their files. Nothing of it needs a token: it is the same for everybody. */
export async function dashboardRoutes(
  app: App,
  { page, folder }: { page: DashboardPage; folder: string | null },
): Promise<void> {
  for (const url of PAGES)
    app.get(
      url,
      { constraints: FOR_BROWSERS, config: { open: true }, schema: { hide: true } },
      (request, reply) => page.send(request, reply),
    );
  const assets = folder === null ? null : join(folder, "assets");
  if (assets === null || !existsSync(assets)) return;
  await app.register(async (scope) => {
    scope.addHook("onRoute", (route) => {
      route.config = { ...route.config, open: true };
    });
    await scope.register(fastifyStatic, {
      root: assets,
      prefix: "/assets/",
      decorateReply: false,
      index: false,
      dotfiles: "ignore",
      preCompressed: true,
      immutable: true,
      maxAge: ASSETS_KEPT_MS,
      allowedPath: (path) => ASSET.test(path),
    });
  });
}

/** Tells browsers from programs, by what they accept. Added before the first route for browsers. */
export function knowBrowsers(app: App): void {
  app.addConstraintStrategy({
    name: "reader",
    // What the router keeps for each reader is its own affair.
    storage() {
      const kept = new Map<unknown, never>();
      return {
        get: (reader) => kept.get(reader) ?? null,
        set: (reader, one) => void kept.set(reader, one as never),
      };
    },
    deriveConstraint: ({ headers }) =>
      headers.accept?.includes("text/html") === true ? FOR_BROWSERS.reader : undefined,
  });
}
