import { ArrowLeft, Download, Pencil, RefreshCw, Save, X } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import { formatSize } from "../../../../src/contract/units.ts";
import { Markdown } from "../../text/markdown.tsx";
import { visibleLine } from "../../text/visible-text.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { CodeEditor } from "../../ui/code-editor.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { BytesView } from "./bytes-view.tsx";
import { SaveQuestion, useDraft } from "./draft.tsx";
import { type Content, SHOWN_MAX_BYTES, useFileContent } from "./file-content.ts";
import { endingOf, type FileKind, fileKind } from "./file-kind.ts";
import { fileAddress, nameOf, type Place } from "./folders.ts";
import { NotebookView } from "./notebook-view.tsx";
import { PictureFile } from "./picture-file.tsx";
import { ScrollRegion } from "./scroll-region.tsx";
import { TableView } from "./table-view.tsx";

/** What the other way to show a file is called. */
const SHOWN_AS: Partial<Record<FileKind, string>> = {
  markdown: "Rendered",
  table: "Table",
  notebook: "Notebook",
  picture: "Picture",
};

/** One file: as its kind is shown best, or as the text that it is; to edit while the job works. */
export function FileView({
  place,
  entry,
  changed,
  onBack,
}: {
  place: Place;
  entry: FileEntry;
  /** Whether the agent has changed it since it was loaded. */
  changed: boolean;
  onBack: () => void;
}) {
  const kind = fileKind(entry.path);
  const [as_text, setAsText] = useState(SHOWN_AS[kind] === undefined);
  const [seen_change, setSeenChange] = useState(changed);
  const { content, error, busy, more, renew, replace } = useFileContent(fileAddress(place, entry.path));
  const draft = useDraft(place, entry, (text) => {
    replace(text);
    setSeenChange(true);
  });
  const again = (): void => {
    renew();
    setSeenChange(true);
  };
  const whole = content !== null && content.bytes.length === content.size_bytes;
  const editable = place.live && whole && content.text !== null && as_text;
  const other = SHOWN_AS[kind];
  return (
    <section
      aria-label={visibleLine(nameOf(entry.path))}
      className="flex min-h-0 min-w-0 flex-1 flex-col bg-panel"
    >
      <div className="flex h-11 shrink-0 items-center gap-1 border-b px-2">
        <IconButton label="Back to the files" size="sm" onClick={onBack} className="@2xl:hidden">
          <ArrowLeft />
        </IconButton>
        <p className="mr-auto min-w-0 truncate pl-1 text-sm">
          <span className="untrusted font-medium">{visibleLine(nameOf(entry.path))}</span>
          <span className="tabular ml-2 text-quiet text-xs">
            {formatSize(content?.size_bytes ?? entry.size_bytes)}
          </span>
        </p>
        {other !== undefined && draft.text === null && (
          <fieldset aria-label="Shown as" className="flex rounded-md border border-line-strong p-px">
            {[false, true].map((text) => (
              <Button
                key={String(text)}
                size="sm"
                look="ghost"
                aria-pressed={as_text === text}
                className={as_text === text ? "h-6! bg-hover text-ink!" : "h-6!"}
                onClick={() => setAsText(text)}
              >
                {text ? "Text" : other}
              </Button>
            ))}
          </fieldset>
        )}
        {draft.text !== null ? (
          <>
            <Button size="sm" look="primary" disabled={draft.saving} onClick={() => draft.save(false)}>
              <Save />
              Save
            </Button>
            <IconButton label="Give up the changes" size="sm" onClick={draft.drop}>
              <X />
            </IconButton>
          </>
        ) : (
          editable && (
            <Button size="sm" onClick={() => draft.set(content.text ?? "")}>
              <Pencil />
              Edit
            </Button>
          )
        )}
        {draft.text === null && place.live && (
          <IconButton label="Load it again" size="sm" onClick={again} disabled={busy}>
            <RefreshCw />
          </IconButton>
        )}
        <IconButton label="Download" size="sm" asChild>
          <a href={fileAddress(place, entry.path)} download={nameOf(entry.path)}>
            <Download />
          </a>
        </IconButton>
      </div>
      {changed && !seen_change && (
        <p
          role="status"
          className="flex shrink-0 items-center gap-2 border-b bg-accent-soft px-3 py-1 text-accent text-sm"
        >
          The agent has changed this file.
          <Button size="sm" look="ghost" className="ml-auto" onClick={again}>
            Show it as it is now
          </Button>
        </p>
      )}
      {error !== null && (
        <div className="p-4">
          <Trouble
            error={error}
            action={
              <Button size="sm" onClick={again}>
                Try again
              </Button>
            }
          />
        </div>
      )}
      {content === null && error === null && <Skeleton className="m-4 flex-1" />}
      {draft.text !== null ? (
        <CodeEditor
          value={draft.text}
          onChange={draft.set}
          language={nameOf(entry.path)}
          label={`Content of ${visibleLine(nameOf(entry.path))}`}
          className="flex-1"
          autoFocus
        />
      ) : (
        content !== null && (
          <Body
            kind={as_text ? "plain" : kind}
            entry={entry}
            content={content}
            whole={whole}
            picture={<PictureFile address={fileAddress(place, entry.path)} path={entry.path} />}
          />
        )
      )}
      {content !== null && !whole && (
        <p className="flex shrink-0 items-center gap-2 border-t px-3 py-1.5 text-quiet text-xs">
          <span>
            The first {formatSize(content.bytes.length)} of {formatSize(content.size_bytes)}
            {content.bytes.length >= SHOWN_MAX_BYTES && "; download it to see all"}
          </span>
          {more !== null && (
            <Button size="sm" className="ml-auto" onClick={more} disabled={busy}>
              Load more
            </Button>
          )}
        </p>
      )}
      <SaveQuestion draft={draft} onReload={again} />
    </section>
  );
}

function Body({
  kind,
  entry,
  content,
  whole,
  picture,
}: {
  kind: FileKind;
  entry: FileEntry;
  content: Content;
  whole: boolean;
  picture: ReactNode;
}) {
  const name = nameOf(entry.path);
  if (kind === "picture") return picture;
  const { text, bytes } = content;
  if (text === null) return <BytesView bytes={bytes} />;
  if (text === "") return <Empty title="This file is empty" />;
  if (kind === "markdown")
    return (
      <ScrollRegion label="Text" className="p-5">
        <Markdown text={text} className="mx-auto max-w-3xl" />
      </ScrollRegion>
    );
  if (kind === "table")
    return <TableView text={text} separator={endingOf(entry.path) === "tsv" ? "\t" : ","} />;
  if (kind === "notebook" && whole) return <NotebookView text={text} />;
  if (kind === "notebook") return <Empty title="This notebook is too large to be shown as one" />;
  return (
    <CodeEditor
      value={text}
      language={name}
      label={`Content of ${visibleLine(name)}`}
      className="flex-1 [&>div]:overflow-hidden"
    />
  );
}
