/** A shorter one is no secret, and taking it out would garble what it stands in. */
const KEY_MIN_CHARS = 4;
const IN_PLACE = "[key removed]";

/** The text without the key, however a provider wrote it back: as it is, as part of a URL, or escaped as in JSON. */
export function withoutKey(text: string, key: string | null): string {
  if (key === null || key.length < KEY_MIN_CHARS) return text;
  let scrubbed = text;
  for (const spelling of spellingsOf(key)) scrubbed = scrubbed.replaceAll(spelling, IN_PLACE);
  return scrubbed;
}

/** A key, and how it looks in other places than a header. */
export function spellingsOf(key: string): ReadonlySet<string> {
  const json = JSON.stringify(key).slice(1, -1);
  return new Set([
    key,
    encodeURIComponent(key),
    encodeURI(key),
    json,
    json.replaceAll("/", "\\/"),
    Buffer.from(key).toString("base64"),
  ]);
}
