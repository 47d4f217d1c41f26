import clsx from "clsx";
import {
  Download,
  FileSearch2,
  FolderPlus,
  FolderTree,
  Package,
  RefreshCw,
  Search,
  Upload,
  X,
} from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import type { FileRoot } from "../../../../src/contract/surfaces.ts";
import { formatSize } from "../../../../src/contract/units.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { IconButton } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { INPUT } from "../../ui/field.tsx";
import { Select } from "../../ui/select.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { EntryMenu } from "./entry-menu.tsx";
import { FileDialog, type FileQuestion } from "./file-dialogs.tsx";
import { FileSearch } from "./file-search.tsx";
import { FileTree } from "./file-tree.tsx";
import { FileView } from "./file-view.tsx";
import { archiveAddress, folderOf, type Place } from "./folders.ts";
import { droppedFiles } from "./upload.ts";
import { useTree } from "./use-tree.ts";
import { type Uploading, useUploads } from "./use-uploads.ts";

const ROOTS: { value: FileRoot; label: string; hint: string }[] = [
  { value: "workspace", label: "Workspace", hint: "What becomes the ZIP" },
  { value: "home", label: "Home folder", hint: "What lies around the workspace" },
];

export function FilesView({ job_id, live, packing }: { job_id: string; live: boolean; packing: boolean }) {
  const [root, setRoot] = useState<FileRoot>("workspace");
  const place: Place = { job_id, root, live };
  const tree = useTree(place);
  const [entry, setEntry] = useState<FileEntry | null>(null);
  const [shown, setShown] = useState<FileEntry | null>(null);
  const [text, setText] = useState("");
  const [question, ask] = useState<FileQuestion | null>(null);
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const into = useRef("");
  const uploads = useUploads(place, () => tree.renew());
  const folder = entry === null ? "" : entry.type === "folder" ? entry.path : folderOf(entry.path);
  const select = (chosen: FileEntry): void => {
    setEntry(chosen);
    if (chosen.type === "file" || chosen.type === "symlink") setShown(chosen);
  };
  const pick = (target: string): void => {
    into.current = target;
    picker.current?.click();
  };
  const drop = async (event: DragEvent): Promise<void> => {
    if (!live || event.dataTransfer.items.length === 0) return;
    event.preventDefault();
    setOver(false);
    uploads.send(folder, await droppedFiles(event.dataTransfer.items));
  };

  if (packing)
    return (
      <Empty icon={<Package />} title="The work is being packed">
        Its files can be read again in a moment, from the ZIP.
      </Empty>
    );
  return (
    <section
      aria-label="Files of the job"
      className="@container relative flex min-h-0 flex-1"
      onDragOver={(event) => {
        if (!live || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={({ currentTarget, relatedTarget }) => {
        if (!(relatedTarget instanceof Node && currentTarget.contains(relatedTarget))) setOver(false);
      }}
      onDrop={(event) => void drop(event)}
    >
      <div
        className={clsx(
          "flex min-h-0 w-full shrink-0 flex-col bg-panel @2xl:w-72 @2xl:border-r",
          shown !== null && "@max-2xl:hidden",
        )}
      >
        <div className="flex h-11 shrink-0 items-center gap-0.5 border-b px-2">
          {live ? (
            <Select
              label="Which files"
              value={root}
              onChange={(value) => {
                setRoot(ROOTS.find((one) => one.value === value)?.value ?? "workspace");
                setEntry(null);
                setShown(null);
              }}
              options={ROOTS}
              className="mr-auto h-7! w-32! text-xs!"
            />
          ) : (
            <p className="mr-auto pl-1 text-quiet text-xs">What the job left</p>
          )}
          {live && (
            <>
              <IconButton label={uploadLabel(folder)} size="sm" onClick={() => pick(folder)}>
                <Upload />
              </IconButton>
              <IconButton label="New folder" size="sm" onClick={() => ask({ kind: "folder", folder })}>
                <FolderPlus />
              </IconButton>
              <IconButton label="Read the folders again" size="sm" onClick={() => tree.renew()}>
                <RefreshCw />
              </IconButton>
            </>
          )}
          <IconButton label="Download all as a ZIP" size="sm" asChild>
            <a href={archiveAddress(place, "")} download={`${root}.zip`}>
              <Download />
            </a>
          </IconButton>
        </div>
        <div className="relative shrink-0 border-b p-2">
          <Search className="-translate-y-1/2 pointer-events-none absolute top-1/2 left-4.5 size-3.5 text-quiet" />
          <input
            type="search"
            aria-label="Find files by name"
            placeholder="Find by name"
            value={text}
            onChange={({ target }) => setText(target.value)}
            onKeyDown={({ key }) => key === "Escape" && setText("")}
            className={clsx(INPUT, "h-7! pl-7! text-xs!")}
          />
        </div>
        {tree.error !== null ? (
          <div className="p-3">
            <Trouble error={tree.error} />
          </div>
        ) : text.trim() !== "" ? (
          <FileSearch place={place} text={text} onSelect={select} />
        ) : (
          <FileTree
            rows={tree.rows}
            selected={entry?.path ?? null}
            changed={tree.changed}
            onSelect={select}
            onOpen={tree.setOpen}
            onRename={live ? (one) => ask({ kind: "rename", entry: one }) : null}
            onDelete={live ? (one) => ask({ kind: "delete", entry: one }) : null}
            menu={(one) => <EntryMenu place={place} entry={one} ask={ask} upload={pick} />}
          />
        )}
        {uploads.uploading !== null && <Progress uploading={uploads.uploading} stop={uploads.stop} />}
      </div>
      {shown !== null ? (
        <FileView
          key={`${root} ${shown.path}`}
          place={place}
          entry={shown}
          changed={tree.changed.has(shown.path)}
          onBack={() => setShown(null)}
        />
      ) : (
        <div className="flex min-h-0 flex-1 @max-2xl:hidden">
          <Empty icon={<FileSearch2 />} title="Choose a file to look at">
            {live
              ? "Text can be edited here. Drop files anywhere on this panel to put them beside the agent's."
              : "These are the files of the ZIP; they can be read and downloaded."}
          </Empty>
        </div>
      )}
      {over && (
        <div className="pointer-events-none absolute inset-2 z-10 flex items-center justify-center rounded-lg border-2 border-accent border-dashed bg-panel/90">
          <p className="flex items-center gap-2 font-medium text-accent">
            <FolderTree className="size-5" />
            {uploadLabel(folder)}
          </p>
        </div>
      )}
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={({ target }) => {
          uploads.send(
            into.current,
            Array.from(target.files ?? [], (file) => ({ path: file.name, file })),
          );
          target.value = "";
        }}
      />
      <FileDialog
        place={place}
        question={question}
        onClose={() => ask(null)}
        onDone={(from, to) => {
          tree.renew();
          if (shown !== null && (shown.path === from || shown.path.startsWith(`${from}/`)))
            setShown(to === null ? null : { ...shown, path: to + shown.path.slice(from.length) });
          if (entry?.path === from) setEntry(to === null ? null : { ...entry, path: to });
        }}
      />
    </section>
  );
}

function uploadLabel(folder: string): string {
  return folder === "" ? "Upload files" : `Upload into ${visibleLine(folder)}`;
}

function Progress({ uploading, stop }: { uploading: Uploading; stop: () => void }) {
  const { name, number, of, sent_bytes, all_bytes } = uploading;
  return (
    <div role="status" className="flex shrink-0 items-center gap-2 border-t px-3 py-2 text-xs">
      <div className="min-w-0 flex-1">
        <p className="untrusted truncate">
          {of > 1 && `${number} of ${of}: `}
          {visibleLine(name)}
        </p>
        <progress
          aria-label="Upload"
          value={sent_bytes}
          max={Math.max(all_bytes, 1)}
          className="mt-1 h-1 w-full accent-accent"
        />
        <p className="tabular text-quiet">
          {formatSize(sent_bytes)} of {formatSize(all_bytes)}
        </p>
      </div>
      <IconButton label="Stop the upload" size="sm" onClick={stop}>
        <X />
      </IconButton>
    </div>
  );
}
