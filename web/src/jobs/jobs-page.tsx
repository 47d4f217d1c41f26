import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { Suspense, useCallback, useMemo, useState } from "react";
import { jobsQuery } from "../api/jobs.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { lazyPart } from "../ui/load-part.ts";
import { Trouble } from "../ui/trouble.tsx";
import { JobActionsProvider } from "./job-actions.tsx";
import { JobsGrid } from "./jobs-grid.tsx";
import { ListFilters } from "./list-filters.tsx";
import { isFiltered } from "./list-search.ts";
import { ListSkeleton } from "./list-skeleton.tsx";

/** Seen once by most, so it is no part of the first page. */
const FirstJobs = lazyPart(() => import("./first-jobs.tsx"), "FirstJobs");

export function JobsPage() {
  return (
    <JobActionsProvider>
      <ListFilters />
      <List />
    </JobActionsProvider>
  );
}

function List() {
  const filter = useSearch({ from: "/shell/" });
  const list = useInfiniteQuery({ ...jobsQuery(filter), placeholderData: keepPreviousData });
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = list;
  // While another filter is being asked for, the list of the one before stays.
  const [shown_by, setShownBy] = useState(filter);
  if (!list.isPlaceholderData && data !== undefined && shown_by !== filter) setShownBy(filter);
  const jobs = useMemo(() => data?.pages.flatMap((page) => page.jobs) ?? [], [data]);
  const onEnd = useCallback(() => {
    if (!isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  const again = (
    <Button size="sm" onClick={() => void (isFetchNextPageError ? fetchNextPage() : list.refetch())}>
      Try again
    </Button>
  );
  if (data === undefined && error !== null)
    return (
      <div className="mx-auto w-full max-w-2xl p-6">
        <Trouble error={error} action={again} />
      </div>
    );
  if (data === undefined) return <ListSkeleton />;
  if (jobs.length === 0 && !hasNextPage && !list.isPlaceholderData) {
    if (isFiltered(filter)) return <NothingFound />;
    return (
      <Suspense fallback={<ListSkeleton />}>
        <FirstJobs />
      </Suspense>
    );
  }
  return (
    <>
      <JobsGrid
        key={JSON.stringify(shown_by)}
        filter={shown_by}
        jobs={jobs}
        has_more={hasNextPage}
        onEnd={onEnd}
        dim={list.isPlaceholderData}
      />
      {isFetchNextPageError && (
        <div className="p-3">
          <Trouble error={error} action={again} />
        </div>
      )}
    </>
  );
}

function NothingFound() {
  const { status, text, label } = useSearch({ from: "/shell/" });
  const parts = [
    status !== undefined && "with this status",
    label !== undefined && "with this label",
    text !== undefined && "with these words in the prompt",
  ].filter((part) => part !== false);
  return (
    <Empty
      icon={<SearchX />}
      title={`No job ${parts.join(" and ")}`}
      actions={
        <Button asChild>
          <Link to="/">Clear the filters</Link>
        </Button>
      }
    >
      {text !== undefined && <p>Other or fewer words may find more: all prompts are searched, whole.</p>}
    </Empty>
  );
}
