export type Table = { rows: string[][]; columns: number; truncated: boolean };

export const TABLE_ROWS_MAX = 2_000;
export const TABLE_COLUMNS_MAX = 200;

/** Rows of a text with separators (RFC 4180): fields in quotes may have separators, line ends and doubled quotes in them. */
export function readTable(text: string, separator: string): Table {
  const rows: string[][] = [];
  let row: string[] = [];
  let columns = 0;
  let at = text.startsWith("\ufeff") ? 1 : 0;
  const endRow = (): void => {
    columns = Math.max(columns, row.length);
    rows.push(row.slice(0, TABLE_COLUMNS_MAX));
    row = [];
  };
  while (at < text.length && rows.length < TABLE_ROWS_MAX) {
    const field = readField(text, at, separator);
    row.push(field.value);
    at = field.end;
    if (text[at] === separator) {
      at += 1;
      if (at === text.length) row.push("");
      if (at < text.length) continue;
    }
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
    endRow();
  }
  return {
    rows,
    columns: Math.min(columns, TABLE_COLUMNS_MAX),
    truncated: at < text.length || columns > TABLE_COLUMNS_MAX,
  };
}

function readField(text: string, start: number, separator: string): { value: string; end: number } {
  if (text[start] !== '"') {
    let end = start;
    while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end += 1;
    return { value: text.slice(start, end), end };
  }
  let value = "";
  let at = start + 1;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return { value: value + text.slice(at), end: text.length };
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return rest(text, quote + 1, separator, value);
    value += '"';
    at = quote + 2;
  }
  return { value, end: at };
}

/** What stands behind a closing quote belongs to the field all the same. */
function rest(text: string, start: number, separator: string, value: string): { value: string; end: number } {
  let end = start;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return { value: value + text.slice(start, end), end };
}
