import clsx from "clsx";
import { useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from "react";
import type { CodeView } from "./code-view.ts";
import { useField } from "./field.tsx";
import { loadPart } from "./load-part.ts";

type Props = {
  value: string;
  /** Left out, the text can only be read. */
  onChange?: (value: string) => void;
  /** By its name (`markdown`, `python`), or the name of a file in it; else the text is plain. */
  language?: string;
  label: string;
  placeholder?: string;
  /** Its place on the page; the height too. */
  className?: string;
  autoFocus?: boolean;
  /** The element that says what is wrong with it, where it stands in no Field. */
  fault_id?: string | undefined;
};

/**
 * Code or Markdown in colours, to write or to read: `<CodeEditor value onChange? language? label />`. Inside a Field it takes its hint and
 * error. Until its library is loaded, and where that fails, it is a plain field in which all can be done too; what was typed there and
 * where goes on in the other.
 */
export function CodeEditor(props: Props) {
  const { value, onChange, label, placeholder = "", className, autoFocus = false, fault_id } = props;
  const [View, setView] = useState<typeof CodeView | null>(null);
  const plain = useRef<HTMLTextAreaElement>(null);
  const before = useRef<Before>({ selection: { anchor: 0, head: 0 }, focused: false });
  const field = described(useField(), fault_id);
  const focus = useEffectEvent(() => autoFocus && plain.current?.focus());
  useEffect(() => {
    let gone = false;
    focus();
    loadPart(() => import("./code-view.ts")).then(
      (loaded) => {
        if (gone) return;
        before.current = beforeOf(plain.current);
        setView(() => loaded.CodeView);
      },
      (error: unknown) =>
        console.warn("The editor's library cannot be loaded; the plain field stays.", error),
    );
    return () => {
      gone = true;
    };
  }, []);
  return (
    <div data-keys="own" className={clsx("flex min-h-0 min-w-0 flex-col", className)}>
      {View === null ? (
        <textarea
          ref={plain}
          {...field}
          aria-label={label}
          value={value}
          placeholder={placeholder}
          readOnly={onChange === undefined}
          spellCheck={false}
          onChange={({ target }) => onChange?.(target.value)}
          className="min-h-0 flex-1 resize-none bg-transparent px-3 py-2.5 font-mono text-sm leading-[1.375rem] outline-none placeholder:text-quiet"
        />
      ) : (
        <Coloured {...props} View={View} before={before.current} />
      )}
    </div>
  );
}

function described(field: ReturnType<typeof useField>, fault_id: string | undefined): typeof field {
  if (fault_id === undefined) return field;
  return { ...field, "aria-describedby": fault_id, "aria-invalid": true };
}

/** What was selected in the plain field, and whether somebody typed there. */
type Before = { selection: { anchor: number; head: number }; focused: boolean };

function beforeOf(field: HTMLTextAreaElement | null): Before {
  if (field === null) return { selection: { anchor: 0, head: 0 }, focused: false };
  return {
    selection: { anchor: field.selectionStart, head: field.selectionEnd },
    focused: document.activeElement === field,
  };
}

function Coloured({
  View,
  before,
  value,
  onChange,
  language = "",
  label,
  placeholder = "",
  fault_id,
}: Props & { View: typeof CodeView; before: Before }) {
  const only_read = onChange === undefined;
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<CodeView | null>(null);
  const changed = useEffectEvent((text: string) => onChange?.(text));
  const { id, "aria-describedby": described_by, "aria-invalid": invalid } = described(useField(), fault_id);
  const open = useEffectEvent((parent: HTMLElement) => {
    const opened = new View(parent, {
      text: value,
      selection: before.selection,
      placeholder,
      onChange: only_read ? null : (text) => changed(text),
    });
    if (before.focused) opened.focus();
    return opened;
  });
  // In the commit itself, as below: else a key that is pressed in between is nobody's, and a text takes the place of a newer one.
  useLayoutEffect(() => {
    if (place.current === null) return;
    const opened = open(place.current);
    view.current = opened;
    return () => {
      opened.destroy();
      view.current = null;
    };
  }, []);
  useLayoutEffect(() => view.current?.show(value), [value]);
  useEffect(() => void view.current?.speak(language), [language]);
  useEffect(() => {
    view.current?.describe({
      "aria-label": label,
      spellcheck: "false",
      ...(only_read && { "aria-readonly": "true", tabindex: "0" }),
      ...(id !== undefined && { id }),
      ...(described_by !== undefined && { "aria-describedby": described_by }),
      ...(invalid === true && { "aria-invalid": "true" }),
    });
  }, [label, id, described_by, invalid, only_read]);
  return <div ref={place} className="min-h-0 flex-1" />;
}
