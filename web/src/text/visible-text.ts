/** What turns text round, so that it reads otherwise than it is. */
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** What cannot be seen at all, though it makes two names differ. */
const INVISIBLE = /[\u00ad\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/**
 * Text from a sandbox with nothing hidden in it: direction controls and invisible characters stand there by number, control characters as
 * their pictures. Keeps tabs and line breaks.
 */
export function visibleText(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(CONTROL, pictureOf)
    .replace(DIRECTION, numberOf)
    .replace(INVISIBLE, numberOf);
}

/** The same in one line. */
export function visibleLine(text: string): string {
  return visibleText(text).replace(/\s+/g, " ").trim();
}

function pictureOf(char: string): string {
  const code = char.charCodeAt(0);
  if (code === 0x7f) return "\u2421";
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : numberOf(char);
}

function numberOf(char: string): string {
  return `‹U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}›`;
}
