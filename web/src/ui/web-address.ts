/** An address of the web, in full; null for anything else, such as `javascript:` or a path of this site. */
export function webAddress(text: string): string | null {
  if (!/^https?:\/\//i.test(text)) return null;
  return URL.parse(text)?.href ?? null;
}
