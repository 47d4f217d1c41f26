import { z } from "zod";

/** What people call something: one line of any script, without what could move the text around it. */
export const PlainName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(
    /^[^\p{Cc}\p{Zl}\p{Zp}\u{202a}-\u{202e}\u{2066}-\u{2069}]+$/u,
    "The name must be one line of plain text.",
  );
