import { Keyboard } from "lucide-react";
import { Button } from "../../ui/button.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";

type Key = [keysym: number, code: string];

const CONTROL: Key = [0xffe3, "ControlLeft"];
const SHIFT: Key = [0xffe1, "ShiftLeft"];
const ALT: Key = [0xffe9, "AltLeft"];

/** What a browser or a system keeps for itself, or a phone has no keys for; keysyms as X has them (keysymdef.h). */
const STROKES: { name: string; keys: Key[] }[] = [
  { name: "Esc", keys: [[0xff1b, "Escape"]] },
  { name: "Tab", keys: [[0xff09, "Tab"]] },
  { name: "Enter", keys: [[0xff0d, "Enter"]] },
  { name: "Ctrl C", keys: [CONTROL, [0x63, "KeyC"]] },
  { name: "Ctrl V", keys: [CONTROL, [0x76, "KeyV"]] },
  { name: "Ctrl T", keys: [CONTROL, [0x74, "KeyT"]] },
  { name: "Ctrl W", keys: [CONTROL, [0x77, "KeyW"]] },
  { name: "Ctrl Shift T", keys: [CONTROL, SHIFT, [0x54, "KeyT"]] },
  { name: "Alt Tab", keys: [ALT, [0xff09, "Tab"]] },
  { name: "Alt F4", keys: [ALT, [0xffc1, "F4"]] },
  { name: "F11", keys: [[0xffc8, "F11"]] },
];

export function DesktopKeys({
  disabled,
  press,
}: {
  disabled: boolean;
  press: (keysym: number, code: string, down: boolean) => void;
}) {
  const stroke = (keys: Key[]): void => {
    for (const [keysym, code] of keys) press(keysym, code, true);
    for (const [keysym, code] of keys.toReversed()) press(keysym, code, false);
  };
  return (
    <Menu
      trigger={
        <Button look="ghost" size="sm" disabled={disabled} aria-label="Keys to press">
          <Keyboard />
          <span className="@max-2xl:hidden">Keys</span>
        </Button>
      }
    >
      {STROKES.map(({ name, keys }) => (
        <MenuItem key={name} onSelect={() => stroke(keys)}>
          {name}
        </MenuItem>
      ))}
    </Menu>
  );
}
