import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { jobSearch } from "../job/job-search.ts";
import { listSearch } from "../jobs/list-search.ts";
import { newJobSearch } from "../new-job/new-job-search.ts";
import { loadPart } from "../ui/load-part.ts";
import { PageFailed, PageMissing } from "./page-failed.tsx";
import { text } from "./search-text.ts";
import { Shell } from "./shell.tsx";

const root = createRootRouteWithContext<{ queries: QueryClient }>()({});

const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });

const jobs = createRoute({
  getParentRoute: () => shell,
  path: "/",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => loadPart(() => import("../jobs/jobs-page.tsx")), "JobsPage"),
});

const newJob = createRoute({
  getParentRoute: () => shell,
  path: "/new",
  validateSearch: newJobSearch,
  component: lazyRouteComponent(() => loadPart(() => import("../new-job/new-job-page.tsx")), "NewJobPage"),
});

const job = createRoute({
  getParentRoute: () => shell,
  path: "/job/$id",
  validateSearch: jobSearch,
  component: lazyRouteComponent(() => loadPart(() => import("../job/job-page.tsx")), "JobPage"),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  component: lazyRouteComponent(
    () => loadPart(() => import("../settings/settings-page.tsx")),
    "SettingsPage",
  ),
});
const settingsStart = createRoute({
  getParentRoute: () => settings,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/settings/tokens", replace: true });
  },
});
const tokens = createRoute({
  getParentRoute: () => settings,
  path: "tokens",
  component: lazyRouteComponent(() => loadPart(() => import("../settings/tokens-page.tsx")), "TokensPage"),
});
const templates = createRoute({
  getParentRoute: () => settings,
  path: "templates",
  component: lazyRouteComponent(
    () => loadPart(() => import("../settings/templates-page.tsx")),
    "TemplatesPage",
  ),
});
const models = createRoute({
  getParentRoute: () => settings,
  path: "models",
  component: lazyRouteComponent(() => loadPart(() => import("../settings/models-page.tsx")), "ModelsPage"),
});
const engine = createRoute({
  getParentRoute: () => settings,
  path: "engine",
  component: lazyRouteComponent(() => loadPart(() => import("../settings/engine-page.tsx")), "EnginePage"),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (
    search: Record<string, unknown>,
  ): { to?: string | undefined; failed?: string | undefined } => ({
    to: text(search.to),
    failed: text(search.failed),
  }),
  component: lazyRouteComponent(() => loadPart(() => import("../sign-in/sign-in-page.tsx")), "SignInPage"),
});

export function createDashboardRouter(queries: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([
      shell.addChildren([
        jobs,
        newJob,
        job,
        settings.addChildren([settingsStart, tokens, templates, models, engine]),
      ]),
      signIn,
    ]),
    context: { queries },
    defaultErrorComponent: PageFailed,
    defaultNotFoundComponent: PageMissing,
    defaultPreload: "intent",
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createDashboardRouter>;
  }
}
