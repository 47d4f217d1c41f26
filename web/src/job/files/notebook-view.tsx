import clsx from "clsx";
import { useMemo } from "react";
import { Markdown } from "../../text/markdown.tsx";
import { visibleText } from "../../text/visible-text.ts";
import { Empty } from "../../ui/empty.tsx";
import { CELLS_MAX, type Cell, readNotebook } from "./notebook.ts";
import { ScrollRegion } from "./scroll-region.tsx";

// What a terminal would make colours of.
const COLOURS = /\x1b\[[0-9;]*m/g;

/** A notebook to read: cells and what they gave, as text and pictures. */
export function NotebookView({ text }: { text: string }) {
  const book = useMemo(() => readNotebook(text), [text]);
  if (book === null)
    return <Empty title="This is no notebook that can be read">Its text can be shown.</Empty>;
  return (
    <ScrollRegion label="Notebook" className="p-4">
      <ol className="mx-auto flex max-w-4xl flex-col gap-4">
        {book.cells.map((cell, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: cells have no names, and their order is the file's.
          <li key={index}>
            <CellView cell={cell} />
          </li>
        ))}
      </ol>
      {book.truncated && <p className="pt-3 text-quiet text-xs">The first {CELLS_MAX} cells are shown.</p>}
    </ScrollRegion>
  );
}

function CellView({ cell }: { cell: Cell }) {
  if (cell.kind === "markdown") return <Markdown text={cell.source} className="pl-12" />;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex gap-2">
        <span className="tabular w-10 shrink-0 pt-2 text-right font-mono text-2xs text-quiet">
          {cell.kind === "code" && `[${cell.count ?? " "}]`}
        </span>
        <Text text={cell.source} className="border bg-sunken" />
      </div>
      {cell.outputs.map((output, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: outputs have no names, and their order is the file's.
        <div key={index} className="pl-12">
          {output.kind === "picture" ? (
            <img src={output.address} alt="Output of the cell" className="max-w-full rounded-md bg-white" />
          ) : (
            <Text
              text={output.text.replaceAll(COLOURS, "")}
              className={output.is_error ? "bg-bad-soft text-bad" : ""}
            />
          )}
        </div>
      ))}
    </div>
  );
}

function Text({ text, className }: { text: string; className: string }) {
  return (
    <pre
      className={clsx(
        "untrusted min-w-0 flex-1 whitespace-pre-wrap rounded-md px-3 py-2 font-mono text-xs leading-5",
        className,
      )}
    >
      {visibleText(text)}
    </pre>
  );
}
