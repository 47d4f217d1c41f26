import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import clsx from "clsx";
import { Search, Tag, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useShortcut } from "../app/shortcuts.ts";
import { INPUT } from "../ui/field.tsx";
import { Keys } from "../ui/keys.tsx";
import { oneLine } from "../ui/one-line.ts";
import { STATUS_WORDS } from "../ui/status.tsx";
import { STATUSES, TEXT_MAX_CHARS } from "./list-search.ts";

/** Between the last letter and the search. */
const TYPING_MS = 200;

/** What the list is narrowed to; all of it stands in the address. */
export function ListFilters() {
  const { status, label } = useSearch({ from: "/shell/" });
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b bg-panel px-4 py-2">
      <h1 className="font-semibold text-lg tracking-tight max-md:sr-only">Jobs</h1>
      <nav
        aria-label="Status"
        className="-mx-1 flex min-w-0 gap-0.5 overflow-x-auto px-1 max-md:order-2 max-md:w-full"
      >
        {[undefined, ...STATUSES].map((one) => (
          <Link
            key={one ?? "all"}
            to="/"
            search={(old) => ({ ...old, status: one })}
            aria-current={one === status ? "true" : undefined}
            className={clsx(
              "flex h-7 items-center rounded-md px-2 text-sm whitespace-nowrap",
              one === status ? "bg-pressed font-medium text-ink" : "text-soft hover:bg-hover hover:text-ink",
            )}
          >
            {one === undefined ? "All" : STATUS_WORDS[one]}
          </Link>
        ))}
      </nav>
      {label !== undefined && (
        <Link
          to="/"
          search={(old) => ({ ...old, label: undefined })}
          aria-label={`No longer only jobs with the label ${oneLine(label, 80)}`}
          className="flex h-7 max-w-64 items-center gap-1.5 rounded-md border border-accent-line bg-accent-soft px-2 text-accent text-xs hover:border-accent max-md:order-3"
        >
          <Tag aria-hidden className="size-3.5 shrink-0" />
          <span className="untrusted truncate">{oneLine(label, 80)}</span>
          <X aria-hidden className="size-3.5 shrink-0" />
        </Link>
      )}
      <SearchBox />
    </div>
  );
}

function SearchBox() {
  const { text = "" } = useSearch({ from: "/shell/" });
  const navigate = useNavigate({ from: "/" });
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(text);
  const [searched, setSearched] = useState(text);
  // The address changed otherwise: somebody went back, or cleared the filters.
  if (text !== searched) {
    setSearched(text);
    setTyped(text);
  }
  useEffect(() => {
    const wanted = typed.trim();
    if (wanted === searched) return;
    const timer = setTimeout(() => {
      setSearched(wanted);
      // One step back leads to before the search, not through each of its letters.
      void navigate({ search: (old) => ({ ...old, text: wanted || undefined }), replace: searched !== "" });
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, searched, navigate]);
  useShortcut({ keys: "/", does: "Search the jobs" }, () => input.current?.select());
  return (
    <search className="relative ml-auto w-64 max-md:order-1 max-md:w-full">
      <Search
        aria-hidden
        className="-translate-y-1/2 pointer-events-none absolute top-1/2 left-2.5 size-4 text-quiet"
      />
      <input
        ref={input}
        type="search"
        aria-label="Search prompts"
        placeholder="Search prompts"
        maxLength={TEXT_MAX_CHARS}
        value={typed}
        onChange={({ target }) => setTyped(target.value)}
        onKeyDown={({ key, currentTarget }) => {
          if (key !== "Escape") return;
          setTyped("");
          currentTarget.blur();
        }}
        className={clsx(INPUT, "peer px-8 [&::-webkit-search-cancel-button]:hidden")}
      />
      {typed === "" ? (
        <span
          aria-hidden
          className="-translate-y-1/2 pointer-events-none absolute top-1/2 right-2 peer-focus:hidden max-md:hidden"
        >
          <Keys keys="/" />
        </span>
      ) : (
        <button
          type="button"
          aria-label="Clear the search"
          onClick={() => {
            setTyped("");
            input.current?.focus();
          }}
          className="-translate-y-1/2 absolute top-1/2 right-1.5 rounded-sm p-1 text-quiet hover:text-ink"
        >
          <X aria-hidden className="size-3.5" />
        </button>
      )}
    </search>
  );
}
