const TIME_OF_DAY = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** When something happened, as the clock on the wall showed it: `23:05:57`. */
export function timeOfDay(at: number): string {
  return TIME_OF_DAY.format(at);
}

/** A place in a replay for people: `0:42`, `1:02:05`; with tenths in a short one: `0:03.4`. */
export function clockText(ms: number, total_ms: number): string {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  const seconds = Math.floor(tenths / 10);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const text =
    seconds >= 3600
      ? `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
      : `${minutes}:${two(seconds % 60)}`;
  return total_ms < 60_000 ? `${text}.${tenths % 10}` : text;
}
