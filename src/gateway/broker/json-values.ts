/**
 * Values that a JSON text may hold. Real bodies have some tens of thousands, arrays of tokens some hundred thousand; the platform needs
 * about a second for ten times as many, in which nothing else happens, and a hundred bytes of memory for each.
 */
export const VALUES_MAX = 400_000;

/** Whether a text would make more values than VALUES_MAX when it is parsed, looked at before that is tried. */
export function hasTooManyValues(json: string): boolean {
  let values = 1;
  let quoted = false;
  for (let i = 0; i < json.length; i += 1) {
    const char = json.charCodeAt(i);
    if (quoted) {
      if (char === BACKSLASH) i += 1;
      else if (char === QUOTE) quoted = false;
    } else if (char === QUOTE) quoted = true;
    else if (char === COMMA || char === BRACKET || char === BRACE) {
      values += 1;
      if (values > VALUES_MAX) return true;
    }
  }
  return false;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
