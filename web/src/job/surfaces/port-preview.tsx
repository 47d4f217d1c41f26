import clsx from "clsx";
import { ExternalLink, Monitor, RotateCw, Smartphone, Tablet, TriangleAlert } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button, IconButton } from "../../ui/button.tsx";
import { INPUT } from "../../ui/field.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { PreviewFrame } from "./preview-frame.tsx";
import { useOpened } from "./use-opened.ts";

type Width = "full" | "tablet" | "phone";

const WIDTHS: { value: Width; label: string; icon: ReactNode; frame: string }[] = [
  { value: "full", label: "As wide as this panel", icon: <Monitor />, frame: "" },
  { value: "tablet", label: "As wide as a tablet", icon: <Tablet />, frame: "w-[768px] max-w-none" },
  { value: "phone", label: "As wide as a phone", icon: <Smartphone />, frame: "w-[390px] max-w-none" },
];

/** What a server in the sandbox shows on one port, in a frame that has a site of its own. */
export function PortPreview({ job_id, port, listens }: { job_id: string; port: number; listens: boolean }) {
  const [path, setPath] = useState("/");
  const [typed, setTyped] = useState("/");
  const [width, setWidth] = useState<Width>("full");
  const { url, load, error, reload, openTab } = useOpened(`/jobs/${job_id}/ports/${port}/open`, path);
  const frame = WIDTHS.find(({ value }) => value === width)?.frame ?? "";
  const go = (): void => {
    const wanted = typed.startsWith("/") ? typed : `/${typed}`;
    setTyped(wanted);
    if (wanted === path) reload();
    else setPath(wanted);
  };
  return (
    <section aria-label={`Port ${port}`} className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-1 border-b px-3">
        <IconButton size="sm" label="Load it again" onClick={reload}>
          <RotateCw />
        </IconButton>
        <form
          className="relative mx-1 min-w-0 flex-1"
          onSubmit={(event) => {
            event.preventDefault();
            go();
          }}
        >
          <span
            aria-hidden
            className="tabular -translate-y-1/2 pointer-events-none absolute top-1/2 left-2.5 font-mono text-quiet text-xs"
          >
            :{port}
          </span>
          <input
            aria-label="Path"
            value={typed}
            spellCheck={false}
            autoCapitalize="off"
            onChange={({ target }) => setTyped(target.value)}
            className={clsx(INPUT, "h-7! pl-14! font-mono text-xs!")}
          />
        </form>
        <fieldset aria-label="Width" className="flex max-sm:hidden">
          {WIDTHS.map(({ value, label, icon }) => (
            <IconButton
              key={value}
              size="sm"
              label={label}
              aria-pressed={value === width}
              className={clsx(value === width && "bg-hover text-ink!")}
              onClick={() => setWidth(value)}
            >
              {icon}
            </IconButton>
          ))}
        </fieldset>
        <Button size="sm" onClick={openTab} aria-label="Open in a tab">
          <ExternalLink />
          <span className="max-sm:hidden">Open in a tab</span>
        </Button>
      </div>
      {!listens && (
        <p
          role="status"
          className="flex items-center gap-2 border-b border-warn-line bg-warn-soft px-3 py-1.5 text-sm text-warn"
        >
          <TriangleAlert className="size-4 shrink-0" />
          Nothing listens on {port} any more.
        </p>
      )}
      {error !== null ? (
        <div className="p-4">
          <Trouble error={error} />
        </div>
      ) : (
        <div className={clsx("flex min-h-0 flex-1 overflow-x-auto", width !== "full" && "bg-sunken p-3")}>
          <div
            className={clsx(
              "mx-auto flex min-h-0 shrink-0",
              width === "full"
                ? "w-full"
                : clsx("box-content overflow-hidden rounded-md border border-line-strong", frame),
            )}
          >
            {url === null ? (
              <Skeleton className="flex-1 rounded-none" />
            ) : (
              <PreviewFrame key={`${path} ${load}`} url={url} title={`What port ${port} shows`} />
            )}
          </div>
        </div>
      )}
    </section>
  );
}
