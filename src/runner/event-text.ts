/** The longest start of `text` that takes at most `max_bytes` as JSON (without its quotes), with an ellipsis when it was cut. */
export function cutToJsonBytes(text: string, max_bytes: number): string {
  if (jsonBytes(text) <= max_bytes) return text;
  let fits = 0;
  let beyond = Math.min(text.length, max_bytes);
  while (beyond - fits > 1) {
    const middle = (fits + beyond) >> 1;
    if (jsonBytes(text.slice(0, middle)) <= max_bytes - ELLIPSIS_BYTES) fits = middle;
    else beyond = middle;
  }
  return `${text.slice(0, fits).toWellFormed()}…`;
}

/** The first line of `text` that says something, for a title. */
export function firstLine(text: string): string {
  const lines = text.split("\n", 50).map((line) => line.trim());
  return lines.find((line) => line !== "" && !line.startsWith("#!")) ?? "";
}

const ELLIPSIS_BYTES = 6;

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
