import { ChevronRight, File as FileIcon, Folder, FolderArchive, X } from "lucide-react";
import { useState } from "react";
import { formatSize } from "../../../src/contract/units.ts";
import { Button, IconButton } from "../ui/button.tsx";
import {
  groupsOf,
  type InputFile,
  type InputGroup,
  type Inputs,
  inputsFault,
  sizeOf,
  withFiles,
  withoutPath,
} from "./inputs.ts";

/** Files of one folder that are listed; a folder of thousands is removed as a whole. */
const LISTED_MAX = 100;

/** What was chosen to send along, folders folded. */
export function InputsList({ inputs, onChange }: { inputs: Inputs; onChange: (inputs: Inputs) => void }) {
  const { files, archive } = inputs;
  if (files.length === 0 && archive === null) return null;
  const fault = inputsFault(inputs);
  const count = files.length + (archive === null ? 0 : 1);
  return (
    <section aria-label="Files to send" className="border-t">
      <ul className="max-h-64 overflow-y-auto px-2 py-1.5">
        {archive !== null && (
          <Row
            icon={<FolderArchive />}
            name={archive.path}
            note="becomes the workspace"
            size={archive.file.size}
            onRemove={() => onChange({ ...inputs, archive: null })}
            action={{
              label: "Send it as a file",
              act: () => onChange(withFiles({ ...inputs, archive: null }, [archive])),
            }}
          />
        )}
        {groupsOf(files).map((group) => (
          <Group key={group.path} group={group} inputs={inputs} onChange={onChange} />
        ))}
      </ul>
      <p
        role={fault === null ? undefined : "alert"}
        className={fault === null ? "px-4 pb-2 text-quiet text-xs" : "px-4 pb-2 text-bad text-xs"}
      >
        {fault ??
          `${count === 1 ? "1 file" : `${count.toLocaleString("en")} files`}, ${formatSize(sizeOf(inputs))}`}
      </p>
    </section>
  );
}

function Group({
  group: { path, files, folder },
  inputs,
  onChange,
}: {
  group: InputGroup;
  inputs: Inputs;
  onChange: (inputs: Inputs) => void;
}) {
  const [open, setOpen] = useState(false);
  const [first] = files;
  const remove = (gone: string) => onChange(withoutPath(inputs, gone));
  if (!folder && first !== undefined) {
    const may_unpack = /\.zip$/i.test(path) && inputs.archive === null;
    const unpack = () => onChange({ ...withoutPath(inputs, path), archive: first });
    return (
      <Row
        icon={<FileIcon />}
        name={path}
        size={first.file.size}
        onRemove={() => remove(path)}
        {...(may_unpack && { action: { label: "Unpack as the workspace", act: unpack } })}
      />
    );
  }
  return (
    <li>
      <div className="flex items-center gap-2 rounded-sm px-2 py-0.5 hover:bg-hover">
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex min-w-0 flex-1 items-center gap-2 rounded-sm py-0.5 text-left text-sm [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-quiet"
        >
          <ChevronRight aria-hidden className={open ? "rotate-90" : undefined} />
          <Folder aria-hidden />
          <span className="truncate font-mono text-xs">{path}/</span>
          <span className="whitespace-nowrap text-quiet text-xs">
            {files.length === 1 ? "1 file" : `${files.length.toLocaleString("en")} files`}
          </span>
        </button>
        <Size bytes={files.reduce((sum, { file }) => sum + file.size, 0)} />
        <IconButton label={`Remove ${path}`} size="sm" onClick={() => remove(path)}>
          <X />
        </IconButton>
      </div>
      {open && <Inside files={files} onRemove={remove} />}
    </li>
  );
}

function Inside({ files, onRemove }: { files: readonly InputFile[]; onRemove: (path: string) => void }) {
  return (
    <ul className="pl-6">
      {files.slice(0, LISTED_MAX).map(({ path, file }) => (
        <Row key={path} icon={<FileIcon />} name={path} size={file.size} onRemove={() => onRemove(path)} />
      ))}
      {files.length > LISTED_MAX && (
        <li className="px-2 py-1 text-quiet text-xs">
          and {(files.length - LISTED_MAX).toLocaleString("en")} more
        </li>
      )}
    </ul>
  );
}

function Row({
  icon,
  name,
  note,
  size,
  onRemove,
  action,
}: {
  icon: React.ReactNode;
  name: string;
  note?: string;
  size: number;
  onRemove: () => void;
  action?: { label: string; act: () => void };
}) {
  return (
    <li className="flex items-center gap-2 rounded-sm px-2 py-0.5 hover:bg-hover">
      <span aria-hidden className="[&_svg]:size-4 [&_svg]:text-quiet">
        {icon}
      </span>
      <span className="untrusted min-w-0 flex-1 truncate font-mono text-xs" title={name}>
        {name}
        {note !== undefined && (
          <span className="ml-2 rounded-sm bg-accent-soft px-1.5 py-0.5 font-sans text-accent">{note}</span>
        )}
      </span>
      {action !== undefined && (
        <Button look="ghost" size="sm" onClick={action.act}>
          {action.label}
        </Button>
      )}
      <Size bytes={size} />
      <IconButton label={`Remove ${name}`} size="sm" onClick={onRemove}>
        <X />
      </IconButton>
    </li>
  );
}

function Size({ bytes }: { bytes: number }) {
  return <span className="tabular w-20 shrink-0 text-right text-quiet text-xs">{formatSize(bytes)}</span>;
}
