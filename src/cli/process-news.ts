import * as z from "zod/mini";
import { AppError } from "../contract/errors.ts";
import { ProcessNews } from "../contract/surfaces.ts";

/** What a server says of a process. Throws AppError `internal` for what cannot be understood. */
export function processNews(text: string): ProcessNews {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // What is no JSON is no news either.
  }
  const parsed = z.safeParse(ProcessNews, value);
  if (parsed.success) return parsed.data;
  throw new AppError({
    code: "internal",
    message: "The server said something that is no news of a process.",
  });
}
