import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { visibleText } from "../../text/visible-text.ts";
import { readTable, TABLE_COLUMNS_MAX, TABLE_ROWS_MAX } from "./csv.ts";
import { ScrollRegion } from "./scroll-region.tsx";

const ROW_PX = 28;
const CELL_MAX_CHARS = 300;

/** A text with separators as a table; its first line are the names of the columns. */
export function TableView({ text, separator }: { text: string; separator: string }) {
  const { rows, columns, truncated } = useMemo(() => readTable(text, separator), [text, separator]);
  const scroller = useRef<HTMLElement>(null);
  const [head = [], ...body] = rows;
  const virtual = useVirtualizer({
    count: body.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();
  const before_px = items[0]?.start ?? 0;
  const after_px = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const cells = Array.from({ length: columns }, (_, index) => index);
  return (
    <ScrollRegion ref={scroller} label="Table">
      <table className="border-separate border-spacing-0 text-xs" aria-rowcount={rows.length}>
        <thead>
          <tr>
            <th
              scope="col"
              className="sticky top-0 z-10 border-r border-b bg-sunken px-2 text-right font-normal text-quiet"
            >
              <span className="sr-only">Row</span>
            </th>
            {cells.map((column) => (
              <th
                key={column}
                scope="col"
                className="untrusted sticky top-0 z-10 max-w-80 truncate border-r border-b bg-sunken px-2.5 py-1.5 text-left font-medium"
              >
                {cellText(head[column])}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before_px > 0 && (
            <tr aria-hidden>
              <td style={{ height: before_px }} />
            </tr>
          )}
          {items.map(({ index }) => (
            <tr key={index} aria-rowindex={index + 2} style={{ height: ROW_PX }} className="hover:bg-hover">
              <td className="tabular border-r border-b px-2 text-right text-quiet">{index + 1}</td>
              {cells.map((column) => {
                const text = cellText(body[index]?.[column]);
                return (
                  <td
                    key={column}
                    className="untrusted tabular max-w-80 truncate border-r border-b px-2.5"
                    title={text}
                  >
                    {text}
                  </td>
                );
              })}
            </tr>
          ))}
          {after_px > 0 && (
            <tr aria-hidden>
              <td style={{ height: after_px }} />
            </tr>
          )}
        </tbody>
      </table>
      {truncated && (
        <p className="px-3 py-2 text-quiet text-xs">
          A table shows {TABLE_ROWS_MAX.toLocaleString()} rows and {TABLE_COLUMNS_MAX} columns at most; the
          text has all.
        </p>
      )}
    </ScrollRegion>
  );
}

function cellText(value = ""): string {
  const text = visibleText(value.slice(0, CELL_MAX_CHARS));
  return value.length > CELL_MAX_CHARS ? `${text}…` : text;
}
