import "./styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { keepJobsTrue } from "./api/job-cache.ts";
import { ApiError, onSignedOut } from "./api/request.ts";
import { watchForNewerPage } from "./app/newer-page.ts";
import { obeyPagePolicy } from "./app/page-policy.ts";
import { createDashboardRouter } from "./app/router.tsx";
import { keepTheme } from "./app/theme.ts";
import { openFeed } from "./feed/feed.ts";
import { FeedContext } from "./feed/use-feed.ts";
import { Toasts } from "./ui/toasts.tsx";

/** What a client did wrong stays wrong; a server that could not be reached is asked again. */
const RETRIES_MAX = 3;

obeyPagePolicy();
keepTheme();
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) =>
        failures < RETRIES_MAX && error instanceof ApiError && (error.status === 0 || error.status >= 500),
      refetchOnWindowFocus: false,
    },
  },
});
const router = createDashboardRouter(queries);
const feed = openFeed();
keepJobsTrue(queries, feed);
watchForNewerPage(feed);
const signedOut = (): void => {
  const { pathname, href } = router.state.location;
  if (pathname !== "/sign-in") void router.navigate({ to: "/sign-in", search: { to: href }, replace: true });
};
onSignedOut(signedOut);
feed.onState(({ kind }) => kind === "signed_out" && signedOut());

const place = document.getElementById("root");
if (place === null) throw new Error("The page has no place for the dashboard.");
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <FeedContext value={feed}>
        <Tooltip.Provider delayDuration={400}>
          <Toasts>
            <RouterProvider router={router} />
          </Toasts>
        </Tooltip.Provider>
      </FeedContext>
    </QueryClientProvider>
  </StrictMode>,
);
