import { Transform } from "node:stream";
import { spellingsOf } from "./key-scrub.ts";

/** Real keys are longer. People give local servers words such as "ollama" for a key, which an answer may well have in it. */
const MASKED_MIN_CHARS = 16;
const MASK = "*";

/**
 * Hides the key in an answer while it passes: a stream that was begun well can still end with an error that says it. The answer keeps its
 * length, and nothing of it waits but an end that could be the beginning of the key. Null for what is no real key.
 */
export function keyMask(key: string | null): Transform | null {
  if (key === null || key.length < MASKED_MIN_CHARS) return null;
  const spellings = Array.from(spellingsOf(key), (spelling) => Buffer.from(spelling));
  let held: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bytes = masked(held.length === 0 ? chunk : Buffer.concat([held, chunk]), spellings);
      const end = bytes.length - beginningAtEnd(bytes, spellings);
      held = bytes.subarray(end);
      done(null, bytes.subarray(0, end));
    },
    flush(done) {
      done(null, held);
    },
  });
}

function masked(bytes: Buffer, spellings: readonly Buffer[]): Buffer {
  let copy = bytes;
  for (const spelling of spellings)
    for (let at = copy.indexOf(spelling); at >= 0; at = copy.indexOf(spelling, at + spelling.length)) {
      if (copy === bytes) copy = Buffer.from(bytes);
      copy.fill(MASK, at, at + spelling.length);
    }
  return copy;
}

/** How many bytes at the end are the beginning of a key, but not all of it. */
function beginningAtEnd(bytes: Buffer, spellings: readonly Buffer[]): number {
  let longest = 0;
  for (const spelling of spellings)
    for (let length = Math.min(spelling.length - 1, bytes.length); length > longest; length -= 1)
      if (bytes.subarray(bytes.length - length).equals(spelling.subarray(0, length))) longest = length;
  return longest;
}
