import { Download, Ellipsis, FolderPlus, Pencil, Trash2, Upload } from "lucide-react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { IconButton } from "../../ui/button.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import type { FileQuestion } from "./file-dialogs.tsx";
import { archiveAddress, fileAddress, nameOf, type Place } from "./folders.ts";

/** What can be done with a file or folder of the tree. */
export function EntryMenu({
  place,
  entry,
  ask,
  upload,
}: {
  place: Place;
  entry: FileEntry;
  ask: (question: FileQuestion) => void;
  upload: (folder: string) => void;
}) {
  const is_folder = entry.type === "folder";
  const name = nameOf(entry.path);
  return (
    <Menu
      trigger={
        <IconButton
          label={`More for ${visibleLine(name)}`}
          size="sm"
          tabIndex={-1}
          className="h-6! opacity-0 focus-visible:opacity-100 data-[state=open]:opacity-100 [[role=treeitem]:hover_&]:opacity-100 [@media(hover:none)]:opacity-100"
        >
          <Ellipsis />
        </IconButton>
      }
    >
      <MenuItem asChild>
        <a
          href={is_folder ? archiveAddress(place, entry.path) : fileAddress(place, entry.path)}
          download={is_folder ? `${name}.zip` : name}
        >
          <Download />
          {is_folder ? "Download as a ZIP" : "Download"}
        </a>
      </MenuItem>
      {place.live && is_folder && (
        <>
          <MenuItem onSelect={() => upload(entry.path)}>
            <Upload />
            Upload into it
          </MenuItem>
          <MenuItem onSelect={() => ask({ kind: "folder", folder: entry.path })}>
            <FolderPlus />
            New folder in it
          </MenuItem>
        </>
      )}
      {place.live && (
        <>
          <MenuLine />
          <MenuItem onSelect={() => ask({ kind: "rename", entry })}>
            <Pencil />
            Rename or move
          </MenuItem>
          <MenuItem danger onSelect={() => ask({ kind: "delete", entry })}>
            <Trash2 />
            Delete
          </MenuItem>
        </>
      )}
    </Menu>
  );
}
