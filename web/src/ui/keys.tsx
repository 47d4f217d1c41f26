/** Keys to press, such as `g j` (one after the other) or `mod+k` (at once; the Command key on a Mac, else Ctrl). */
export function Keys({ keys }: { keys: string }) {
  return (
    <span className="inline-flex items-center gap-1">
      {keys.split(" ").map((stroke) => (
        <kbd
          key={stroke}
          className="rounded-sm border border-line-strong bg-sunken px-1 font-mono text-2xs text-quiet leading-4"
        >
          {nameOf(stroke)}
        </kbd>
      ))}
    </span>
  );
}

const IS_MAC = /mac|iphone|ipad/i.test(navigator.platform);

function nameOf(stroke: string): string {
  return stroke
    .split("+")
    .map((part) =>
      part === "mod" ? (IS_MAC ? "⌘" : "Ctrl") : part === "enter" ? "↵" : part === "escape" ? "Esc" : part,
    )
    .join(IS_MAC ? "" : " ");
}
