import type { EgressPolicy } from "../../../src/contract/job.ts";

/** What a policy lets through, in plain words. */
export const EGRESS_WORDS: Record<EgressPolicy, string> = {
  none: "Nothing",
  allow: "Listed hosts only",
  packages: "Package registries",
  internet: "The internet",
};
