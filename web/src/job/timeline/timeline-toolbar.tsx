import clsx from "clsx";
import { Search, X } from "lucide-react";
import { ToggleGroup } from "radix-ui";
import { useState } from "react";
import { IconButton } from "../../ui/button.tsx";
import type { ItemFilter } from "./item-filter.ts";

const SHOWS: readonly { value: ItemFilter["show"]; label: string }[] = [
  { value: "all", label: "Everything" },
  { value: "steps", label: "Steps" },
  { value: "talk", label: "Messages" },
];

/** What of the timeline is shown, and a search in it. */
export function TimelineToolbar({
  filter,
  onChange,
  found,
}: {
  filter: ItemFilter;
  onChange: (filter: ItemFilter) => void;
  /** How many items are shown, said while somebody searches. */
  found: number;
}) {
  const [searches, setSearches] = useState(false);
  const close = () => {
    setSearches(false);
    onChange({ ...filter, text: "" });
  };
  return (
    <div className="flex h-10 shrink-0 items-center gap-2 border-b bg-panel px-3 sm:px-4">
      <ToggleGroup.Root
        type="single"
        aria-label="What the timeline shows"
        value={filter.show}
        onValueChange={(value) => {
          const chosen = SHOWS.find((one) => one.value === value);
          if (chosen !== undefined) onChange({ ...filter, show: chosen.value });
        }}
        className="flex rounded-md bg-sunken p-0.5"
      >
        {SHOWS.map(({ value, label }) => (
          <ToggleGroup.Item
            key={value}
            value={value}
            className="h-6 rounded-sm px-2 text-quiet text-xs hover:text-ink data-[state=on]:bg-raised data-[state=on]:font-medium data-[state=on]:text-ink data-[state=on]:shadow-xs"
          >
            {label}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
      <div className={clsx("ml-auto flex min-w-0 items-center gap-1", searches && "flex-1")}>
        {searches ? (
          <>
            <input
              // biome-ignore lint/a11y/noAutofocus: who opens the search wants to write in it.
              autoFocus
              type="search"
              aria-label="Search in the timeline"
              placeholder="Search titles, code, messages…"
              value={filter.text}
              onChange={({ target }) => onChange({ ...filter, text: target.value })}
              onKeyDown={({ key }) => key === "Escape" && close()}
              className="h-7 min-w-0 flex-1 rounded-md border border-line-strong bg-raised px-2 text-xs [&::-webkit-search-cancel-button]:hidden"
            />
            {filter.text !== "" && (
              <span role="status" className="tabular shrink-0 text-quiet text-xs">
                {found} found
              </span>
            )}
            <IconButton label="Close the search" size="sm" onClick={close}>
              <X />
            </IconButton>
          </>
        ) : (
          <IconButton label="Search in the timeline" size="sm" onClick={() => setSearches(true)}>
            <Search />
          </IconButton>
        )}
      </div>
    </div>
  );
}
