import type { Check } from "../contract/api.ts";
import type { Settings } from "./settings.ts";

/** What works on this machine and how to mend what does not. */
export async function doctor(_settings: Settings, _signal: AbortSignal): Promise<Check[]> {
  return [];
}
