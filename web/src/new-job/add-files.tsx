import { FileArchive, FilePlus, FolderPlus, Paperclip } from "lucide-react";
import { useRef } from "react";
import { Button } from "../ui/button.tsx";
import { Menu, MenuItem } from "../ui/menu.tsx";
import { type Inputs, pickedFiles, withFiles } from "./inputs.ts";

/** Chooses files, a whole folder, or a ZIP that becomes the workspace. Dropping them on the page does the same. */
export function AddFiles({ inputs, onChange }: { inputs: Inputs; onChange: (inputs: Inputs) => void }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const archive = useRef<HTMLInputElement>(null);
  const picked = (target: HTMLInputElement, as: "files" | "archive"): void => {
    const chosen = pickedFiles(target.files ?? new DataTransfer().files);
    const [first] = chosen;
    if (as === "files") onChange(withFiles(inputs, chosen));
    else if (first !== undefined) onChange({ ...inputs, archive: first });
    // The same one can be chosen again after it was removed.
    target.value = "";
  };
  return (
    <>
      <Menu
        trigger={
          <Button size="sm" look="ghost">
            <Paperclip aria-hidden />
            <span className="max-sm:sr-only">Add files</span>
          </Button>
        }
      >
        <MenuItem onSelect={() => files.current?.click()}>
          <FilePlus aria-hidden />
          Files…
        </MenuItem>
        <MenuItem onSelect={() => folder.current?.click()}>
          <FolderPlus aria-hidden />A folder…
        </MenuItem>
        <MenuItem onSelect={() => archive.current?.click()}>
          <FileArchive aria-hidden />A ZIP as the workspace…
        </MenuItem>
      </Menu>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        aria-label="Files"
        onChange={({ target }) => picked(target, "files")}
      />
      <input
        ref={folder}
        type="file"
        webkitdirectory=""
        hidden
        aria-label="A folder"
        onChange={({ target }) => picked(target, "files")}
      />
      <input
        ref={archive}
        type="file"
        accept=".zip,application/zip"
        hidden
        aria-label="A ZIP"
        onChange={({ target }) => picked(target, "archive")}
      />
    </>
  );
}
