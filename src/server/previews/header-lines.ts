/** Name and value of each header line, in order, as they came; `rawHeaders` of node:http has them flat. */
export type HeaderLine = readonly [name: string, value: string];

export function headerLines(raw: readonly string[]): HeaderLine[] {
  const lines: HeaderLine[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    lines.push([raw[index] ?? "", raw[index + 1] ?? ""]);
  return lines;
}

/** What belongs to one connection and is never passed on (RFC 9110, 7.6.1), and what smuggles another protocol in. */
const OF_ONE_CONNECTION = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "expect",
]);

/** The lines without those of one connection, which includes those that `Connection` names. */
export function passedOn(lines: readonly HeaderLine[]): HeaderLine[] {
  const named = new Set(
    lines
      .filter(([name]) => name.toLowerCase() === "connection")
      .flatMap(([, value]) => value.split(","))
      .map((one) => one.trim().toLowerCase()),
  );
  // Who names what tells the length or the host wants it gone from between two proxies, to smuggle.
  named.delete("content-length");
  named.delete("host");
  return lines.filter(([name]) => {
    const lower = name.toLowerCase();
    return !OF_ONE_CONNECTION.has(lower) && !named.has(lower);
  });
}
