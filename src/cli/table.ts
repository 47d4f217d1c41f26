import { textWidth } from "./terminal-text.ts";

/** Cells as lines of a table, each column as wide as its widest cell; `head` shows the first line. */
export function tableLines(rows: readonly (readonly string[])[], head: (line: string) => string): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => textWidth(row[at] ?? ""))),
  );
  return rows.map((row, index) => {
    const line = row
      .map((cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - textWidth(cell))))
      .join("  ")
      .trimEnd();
    return index === 0 ? head(line) : line;
  });
}
