/** A parameter of an address as text; undefined when it is empty, missing or something else. */
export function text(value: unknown): string | undefined {
  // The router reads numbers and the like as JSON.
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}
