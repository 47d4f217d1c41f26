/**
 * Text by which is searched without regard to case. The same on every side: SQLite ignores case for ASCII only, PostgreSQL by locale. Upper
 * case has no forms that depend on the place in a word.
 */
export function foldCase(text: string): string {
  return text.normalize("NFC").toUpperCase();
}
