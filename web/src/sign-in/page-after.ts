/** Where a sign-in leads: only to a page of ours (`origin`), however the address is written. */
export function pageAfter(to: string | undefined, origin: string): string {
  const url = URL.parse(to ?? "/", origin);
  if (url === null || url.origin !== origin || url.pathname === "/sign-in") return "/";
  // A path that begins with two slashes, or is said to be one (`/.//other.example`), names a host wherever it is read again.
  return url.pathname.startsWith("//") ? "/" : `${url.pathname}${url.search}${url.hash}`;
}
