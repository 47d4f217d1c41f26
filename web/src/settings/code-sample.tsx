import { CopyButton } from "../ui/copy-button.tsx";

/** Something to type or to put into a file, ready to be copied. */
export function CodeSample({ text, label }: { text: string; label: string }) {
  return (
    <div className="relative min-w-0 rounded-md border bg-sunken">
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled must be reachable by keyboard.
        tabIndex={0}
        className="overflow-x-auto py-2.5 pr-10 pl-3 text-xs leading-5"
      >
        {text}
      </pre>
      <div className="absolute top-1 right-1">
        <CopyButton text={text} label={label} />
      </div>
    </div>
  );
}
