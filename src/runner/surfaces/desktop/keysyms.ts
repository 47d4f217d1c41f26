/** Keys by the names that people and models use, in lower case (X11/keysymdef.h). */
const NAMED: Record<string, number> = {
  enter: 0xff0d,
  return: 0xff0d,
  tab: 0xff09,
  escape: 0xff1b,
  esc: 0xff1b,
  backspace: 0xff08,
  delete: 0xffff,
  del: 0xffff,
  insert: 0xff63,
  home: 0xff50,
  end: 0xff57,
  pageup: 0xff55,
  page_up: 0xff55,
  pagedown: 0xff56,
  page_down: 0xff56,
  left: 0xff51,
  up: 0xff52,
  right: 0xff53,
  down: 0xff54,
  arrowleft: 0xff51,
  arrowup: 0xff52,
  arrowright: 0xff53,
  arrowdown: 0xff54,
  space: 0x20,
  plus: 0x2b,
  minus: 0x2d,
  menu: 0xff67,
  print: 0xff61,
  printscreen: 0xff61,
  pause: 0xff13,
  capslock: 0xffe5,
};

const MODIFIERS: Record<string, number> = {
  ctrl: 0xffe3,
  control: 0xffe3,
  shift: 0xffe1,
  alt: 0xffe9,
  option: 0xffe9,
  super: 0xffeb,
  win: 0xffeb,
  meta: 0xffeb,
  cmd: 0xffeb,
};

const F1 = 0xffbe;
const UNICODE = 0x0100_0000;

/** The keysym that types a character; line ends and tabs are the keys of that name. */
export function keysymOf(character: string): number {
  if (character === "\n" || character === "\r") return 0xff0d;
  if (character === "\t") return 0xff09;
  const code = character.codePointAt(0) ?? 0;
  const latin = (code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xff);
  return latin ? code : UNICODE + code;
}

/** Whether every keyboard of the desktop has it. */
export function isOnKeyboard(keysym: number): boolean {
  return (keysym >= 0x20 && keysym <= 0x7e) || (keysym >= 0xff00 && keysym <= 0xffff);
}

/** As the programs of X name it. */
export function keysymName(keysym: number): string {
  return `U${(keysym >= UNICODE ? keysym - UNICODE : keysym).toString(16).padStart(4, "0")}`;
}

/** Keys that are pressed together, such as `ctrl+shift+t`, in the order in which they go down. A sentence for a key that there is not. */
export function chordOf(text: string): number[] | string {
  // The plus key itself: "+" alone, or at the end as in "ctrl++".
  const names = text === "+" ? ["+"] : text.replace(/\+\+$/, "+plus").split("+");
  const keysyms: number[] = [];
  for (const name of names) {
    // In a chord a capital is the name of the key: whoever means shift says so.
    const keysym = keyNamed(
      names.length > 1 && /^[A-Z]$/.test(name.trim()) ? name.toLowerCase() : name.trim(),
    );
    if (keysym === null) return `There is no key ${JSON.stringify(name.slice(0, 40))}.`;
    keysyms.push(keysym);
  }
  return keysyms;
}

function keyNamed(name: string): number | null {
  const lower = name.toLowerCase().replace(/^(page) /, "$1_");
  const known = MODIFIERS[lower] ?? NAMED[lower];
  if (known !== undefined) return known;
  const number = Number(/^f([1-9]|1[0-9]|2[0-4])$/.exec(lower)?.[1]);
  if (number > 0) return F1 + number - 1;
  return [...name].length === 1 ? keysymOf(name) : null;
}
