import { setTimeout as sleep } from "node:timers/promises";
import { isOnKeyboard, keysymName, keysymOf } from "./keysyms.ts";
import type { RfbClient } from "./rfb-client.ts";
import { settled } from "./screen.ts";
import type { XPrograms } from "./x-programs.ts";

/** Characters that the keyboard lacks and that are typed in one go, each with a key of its own. */
const SPARE_KEYS_MAX = 16;
/** The server takes keys faster than it hands them on, and drops what is too much. */
const BURST_CHARS = 50;
const BURST_PAUSE_MS = 5;

/**
 * Types on the desktop. Characters that the keyboard lacks get a key first: the server would do that by itself at the moment of the stroke, but
 * programs that learn of a changed keyboard too late (Chromium) then read another character.
 */
export class Keyboard {
  readonly #programs: XPrograms;
  /** Keys that had no meaning before they got one here. */
  readonly #spare = new Set<number>();

  constructor(programs: XPrograms) {
    this.#programs = programs;
  }

  /** Presses keys together, and lets go of them in the opposite order. */
  press(client: RfbClient, keysyms: readonly number[]): void {
    for (const keysym of keysyms) client.key(keysym, true);
    for (const keysym of keysyms.toReversed()) client.key(keysym, false);
  }

  /** Types text; a sentence when it holds characters for which there are no keys. */
  async type(client: RfbClient, text: string, signal: AbortSignal): Promise<string | null> {
    const characters = [...text.replaceAll("\r\n", "\n")];
    if (characters.every((character) => isOnKeyboard(keysymOf(character)))) {
      await this.#strokes(client, characters, signal);
      return null;
    }
    const keys = await this.#spareKeys(signal);
    if (typeof keys === "string") return keys;
    for (const part of parts(characters, keys.length)) {
      const problem = await this.#give(keys, part.lacking, signal);
      if (problem !== null) return problem;
      await settled(client, signal);
      await this.#strokes(client, part.characters, signal);
      // Until it has been read: what comes next gives the same keys another meaning.
      await settled(client, signal);
    }
    return null;
  }

  async #strokes(client: RfbClient, characters: readonly string[], signal: AbortSignal): Promise<void> {
    for (const [n, character] of characters.entries()) {
      this.press(client, [keysymOf(character)]);
      if (n % BURST_CHARS === BURST_CHARS - 1) await sleep(BURST_PAUSE_MS, undefined, { signal });
    }
  }

  async #spareKeys(signal: AbortSignal): Promise<number[] | string> {
    const { ok, output } = await this.#programs.run(["xmodmap", "-pke"], signal);
    if (!ok) return output;
    for (const [, code, meaning = ""] of output.matchAll(/^keycode +(\d+) =(.*)$/gm))
      if (meaning.trim() === "" || /^( (U[0-9A-Fa-f]+|NoSymbol))+$/.test(meaning))
        this.#spare.add(Number(code));
    const keys = [...this.#spare].slice(0, SPARE_KEYS_MAX);
    return keys.length === 0 ? "The keyboard has no key left for characters that it lacks." : keys;
  }

  async #give(
    keys: readonly number[],
    keysyms: readonly number[],
    signal: AbortSignal,
  ): Promise<string | null> {
    if (keysyms.length === 0) return null;
    const given = keysyms.flatMap((keysym, n) => ["-e", `keycode ${keys[n]} = ${keysymName(keysym)}`]);
    const { ok, output } = await this.#programs.run(["xmodmap", ...given], signal);
    return ok ? null : output;
  }
}

/** The text in parts, each of which needs at most so many keys that the keyboard lacks. */
function* parts(
  characters: readonly string[],
  most: number,
): Generator<{ characters: string[]; lacking: number[] }> {
  let part = { characters: [] as string[], lacking: [] as number[] };
  for (const character of characters) {
    const keysym = keysymOf(character);
    const lacks = !isOnKeyboard(keysym) && !part.lacking.includes(keysym);
    if (lacks && part.lacking.length === most) {
      yield part;
      part = { characters: [], lacking: [] };
    }
    part.characters.push(character);
    if (lacks) part.lacking.push(keysym);
  }
  yield part;
}
