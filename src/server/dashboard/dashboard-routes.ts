import type { App } from "../route-context.ts";
import { sendAsset } from "./assets.ts";
import type { DashboardPage } from "./dashboard-page.ts";

/** Addresses of the dashboard. `/` and `/job/:id` are routes for programs as well; who accepts HTML is a browser. */
const PAGES = ["/", "/new", "/job/:id", "/settings", "/settings/*"];
/** The constraint by which a route is for browsers only; programs do not see it. */
export const FOR_BROWSERS = { reader: "browser" };

/** Serves the dashboard's pages and, out of `folder`, their files. Nothing of it needs a token: it is the same for everybody. */
export function dashboardRoutes(
  app: App,
  { page, folder }: { page: DashboardPage; folder: string | null },
): void {
  for (const url of PAGES)
    app.get(
      url,
      { constraints: FOR_BROWSERS, config: { open: true }, schema: { hide: true } },
      (request, reply) => page.send(request, reply),
    );
  app.get<{ Params: { name: string } }>(
    "/assets/:name",
    { config: { open: true }, schema: { hide: true } },
    (request, reply) => sendAsset(folder, request.params.name, { request, reply }),
  );
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
