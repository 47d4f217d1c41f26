import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { markdown } from "@codemirror/lang-markdown";
import { HighlightStyle, LanguageDescription, syntaxHighlighting } from "@codemirror/language";
import { languages } from "@codemirror/language-data";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder as placeholderText,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

export type CodeViewOptions = {
  text: string;
  selection: { anchor: number; head: number };
  placeholder: string;
  /** Null: what is shown can only be read. */
  onChange: ((text: string) => void) | null;
};

/** A view of code in an element. Its language comes in when it is loaded; until then, and where there is none, the text is plain. */
export class CodeView {
  readonly #view: EditorView;
  readonly #language = new Compartment();
  readonly #attributes = new Compartment();
  #wanted = "";

  constructor(parent: HTMLElement, { text, selection, placeholder, onChange }: CodeViewOptions) {
    this.#view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        // Line ends may become shorter in the document than they were in the text.
        selection: {
          anchor: Math.min(selection.anchor, lengthIn(text)),
          head: Math.min(selection.head, lengthIn(text)),
        },
        extensions: [
          onChange === null ? READ : WRITE,
          LOOK,
          placeholderText(placeholder),
          this.#language.of([]),
          this.#attributes.of([]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) onChange?.(update.state.doc.toString());
          }),
        ],
      }),
    });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Shows another text, unless it is what is shown. */
  show(text: string): void {
    const { doc } = this.#view.state;
    if (doc.length === text.length && doc.toString() === text) return;
    this.#view.dispatch({ changes: { from: 0, to: doc.length, insert: text } });
  }

  /** The attributes of the element that has the text; what ties it to its label and error. */
  describe(attributes: Record<string, string>): void {
    this.#view.dispatch({
      effects: this.#attributes.reconfigure(EditorView.contentAttributes.of(attributes)),
    });
  }

  /** A language by its name (`markdown`, `python`) or by the name of a file in it. */
  async speak(name: string): Promise<void> {
    this.#wanted = name;
    const language = await languageOf(name);
    if (this.#wanted !== name) return;
    this.#view.dispatch({ effects: this.#language.reconfigure(language) });
  }

  destroy(): void {
    this.#wanted = "";
    this.#view.destroy();
  }
}

function lengthIn(text: string): number {
  return text.length - (text.match(/\r\n/g)?.length ?? 0);
}

async function languageOf(name: string): Promise<Extension> {
  const found =
    LanguageDescription.matchFilename(languages, name) ??
    LanguageDescription.matchLanguageName(languages, name, false);
  if (found === null) return [];
  // Fenced blocks are shown in their own languages, each loaded when a block has it.
  if (found.name === "Markdown") return markdown({ codeLanguages: languages });
  return found.load();
}

const WRITE: Extension = [
  history(),
  // Ctrl+Enter is the page's: it sends what was written.
  keymap.of([...defaultKeymap.filter(({ key }) => key !== "Mod-Enter"), ...historyKeymap]),
];
const READ: Extension = [EditorState.readOnly.of(true), EditorView.editable.of(false), lineNumbers()];

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--color-ink)", backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": {
    fontFamily: "var(--font-mono)",
    fontSize: "var(--text-sm)",
    lineHeight: "1.375rem",
    overflow: "auto",
  },
  ".cm-content": { padding: "0.625rem 0", caretColor: "var(--color-accent)" },
  ".cm-line": { padding: "0 0.75rem" },
  ".cm-cursor": { borderLeftColor: "var(--color-accent)", borderLeftWidth: "2px" },
  ".cm-placeholder": { color: "var(--color-quiet)" },
  ".cm-gutters": { backgroundColor: "transparent", border: "none", color: "var(--color-quiet)" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 0.25rem 0 0.75rem", minWidth: "2.5rem" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--color-accent) 24%, transparent)",
  },
  ".cm-specialChar": { color: "var(--color-bad)" },
});

const colours = HighlightStyle.define([
  { tag: tags.heading, color: "var(--color-ink)", fontWeight: "650" },
  { tag: tags.strong, fontWeight: "650" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: [tags.link, tags.url], color: "var(--color-accent)" },
  { tag: [tags.processingInstruction, tags.meta, tags.contentSeparator], color: "var(--color-quiet)" },
  { tag: [tags.monospace, tags.labelName], color: "var(--color-accent)" },
  { tag: tags.comment, color: "var(--color-quiet)", fontStyle: "italic" },
  {
    tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.self, tags.null, tags.bool],
    color: "var(--color-other)",
  },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.inserted], color: "var(--color-good)" },
  { tag: [tags.number, tags.atom, tags.unit, tags.escape], color: "var(--color-person)" },
  {
    tag: [
      tags.function(tags.variableName),
      tags.function(tags.propertyName),
      tags.standard(tags.variableName),
    ],
    color: "var(--color-accent)",
  },
  { tag: [tags.typeName, tags.className, tags.tagName, tags.namespace], color: "var(--color-accent)" },
  { tag: [tags.propertyName, tags.attributeName], color: "var(--color-soft)" },
  { tag: [tags.deleted, tags.invalid], color: "var(--color-bad)" },
]);

const LOOK: Extension = [
  look,
  syntaxHighlighting(colours),
  drawSelection(),
  EditorView.lineWrapping,
  // What turns round the direction of text is seen, all of it: a file from a sandbox must not read otherwise than it runs.
  highlightSpecialChars({ addSpecialChars: /[\u202a-\u202c\u2068]/g }),
];
