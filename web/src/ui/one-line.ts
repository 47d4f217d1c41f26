/** Characters that turn text round, control something or are not there to the eye; joiners are not among them, because scripts and pictures are made with them. */
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const BREAKS = /[\s\u0085\u2028\u2029]+/g;

/** Text of anybody on one line, with what could hide or reorder it made visible or left out; at most `max` characters. */
export function oneLine(text: string, max = 300): string {
  const line = text
    .slice(0, max * 4)
    .replace(BREAKS, " ")
    .replace(UNSEEN, "\ufffd")
    .trim();
  // An ellipsis in place of the last one; a pair of surrogates stays whole.
  return line.length > max ? `${line.slice(0, max - 1).replace(/[\ud800-\udbff]$/, "")}…` : line;
}

/** What a prompt is about: its first line with words, without the marks of Markdown around them. */
export function promptTitle(prompt: string): string {
  for (const line of prompt.slice(0, 4_000).split(/\r\n|[\n\r\u2028\u2029]/)) {
    if (/^\s*(`{3,}|~{3,})/.test(line)) continue;
    const words = line
      .replace(/^\s*(#{1,6}|[-*+>]|\d{1,3}[.)])\s+/, "")
      .replace(/`([^`]+)`/g, "$1")
      .replace(/\*\*([^*]+)\*\*/g, "$1");
    const title = oneLine(words);
    if (/[\p{L}\p{N}\p{S}]/u.test(title)) return title;
  }
  return oneLine(prompt);
}
