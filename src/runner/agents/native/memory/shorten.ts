/** Of what is shortened, the end tells more than the beginning: errors stand there. */
const HEAD_SHARE = 0.4;

/** `text` with at most about `max_chars`: its head and its tail, with a line between them that says what is left out and where it is. */
export function shorten(text: string, max_chars: number, where: string | null = null): string {
  if (text.length <= max_chars) return text;
  const head = text.slice(0, Math.floor(max_chars * HEAD_SHARE)).toWellFormed();
  const tail = text.slice(text.length - Math.floor(max_chars * (1 - HEAD_SHARE))).toWellFormed();
  const left_out = text.length - head.length - tail.length;
  const pointer = where === null ? "" : `; all of it is in ${where}`;
  return `${head}\n[… ${left_out} characters left out${pointer} …]\n${tail}`;
}
