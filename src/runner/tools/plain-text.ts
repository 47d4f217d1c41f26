/** A share of characters that no text has, from which on bytes are called no text. */
const ODD_MAX_SHARE = 0.1;

/** Escape sequences of terminals (ECMA-48): those with parameters, strings such as titles, and the short ones. */
const ESCAPES =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]/g;
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** What a terminal would have left to read of some output: no escape sequences, of each line only what was written over it last. */
export function plainText(output: string): string {
  const text = output.replace(ESCAPES, "").replace(/\r+\n/g, "\n");
  const lines = text.includes("\r") ? text.split("\n").map(lastWritten).join("\n") : text;
  return lines.replace(CONTROLS, "");
}

/** Whether bytes are rather no text: more than some of their characters are none. */
export function isBinary(bytes: Buffer): boolean {
  const text = bytes.toString("utf8");
  const odd = (text.match(CONTROLS)?.length ?? 0) + (text.match(/\ufffd/g)?.length ?? 0);
  const escapes = text.match(ESCAPES)?.length ?? 0;
  return odd - escapes > text.length * ODD_MAX_SHARE;
}

function lastWritten(line: string): string {
  const parts = line.split("\r");
  return parts.findLast((part) => part !== "") ?? "";
}
