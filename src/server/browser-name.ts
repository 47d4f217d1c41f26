/** In this order: several name themselves after others, too. */
const BROWSERS: [RegExp, string][] = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b(Chrome|Chromium|CriOS|HeadlessChrome)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/\b(iPhone|iPad)\b/, "iOS"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/** What a browser is, for people, by what it says of itself: `Firefox on Linux`. Nothing of its own words is kept. */
export function browserName(user_agent: string | undefined): string {
  const named = (known: [RegExp, string][]) =>
    known.find(([pattern]) => pattern.test(user_agent ?? ""))?.[1] ?? null;
  const browser = named(BROWSERS) ?? "A browser";
  const system = named(SYSTEMS);
  return system === null ? browser : `${browser} on ${system}`;
}
