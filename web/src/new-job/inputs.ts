import { formatSize } from "../../../src/contract/units.ts";
import { INPUT_FILES_MAX, UPLOAD_MAX_BYTES } from "../../../src/contract/upload-bounds.ts";

/** A chosen file with its path below the workspace. */
export type InputFile = { path: string; file: File };

/** What a job starts with: an archive that becomes the workspace, and files on top of it. */
export type Inputs = { files: readonly InputFile[]; archive: InputFile | null };

/** Adds files; one at the path of another takes its place. */
export function withFiles(inputs: Inputs, more: readonly InputFile[]): Inputs {
  const by_path = new Map([...inputs.files, ...more].map((file) => [file.path, file]));
  return { ...inputs, files: [...by_path.values()].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Leaves out a file, or all that is below a folder. */
export function withoutPath(inputs: Inputs, path: string): Inputs {
  return {
    ...inputs,
    files: inputs.files.filter((file) => file.path !== path && !file.path.startsWith(`${path}/`)),
  };
}

export function sizeOf({ files, archive }: Inputs): number {
  return files.reduce((sum, { file }) => sum + file.size, archive?.file.size ?? 0);
}

/** Why no server takes these; null when it does. */
export function inputsFault(inputs: Inputs): string | null {
  const size = sizeOf(inputs);
  if (inputs.files.length > INPUT_FILES_MAX)
    return `These are ${inputs.files.length.toLocaleString("en")} files; at most ${INPUT_FILES_MAX.toLocaleString("en")} can be sent. Send them as one ZIP.`;
  if (size > UPLOAD_MAX_BYTES)
    return `These are ${formatSize(size)}; at most ${formatSize(UPLOAD_MAX_BYTES)} can be sent.`;
  return null;
}

/** What somebody picked in a dialog, single files or a whole folder. */
export function pickedFiles(list: FileList): InputFile[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** What somebody dropped, folders with all that is in them; stops reading beyond what can be sent. */
export async function droppedFiles(transfer: DataTransfer): Promise<InputFile[]> {
  // The list is gone once the event is over, so it is taken before the first wait.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry());
  const found: InputFile[] = [];
  for (const entry of entries) if (entry !== null) await collect(entry, found);
  return found;
}

async function collect(entry: FileSystemEntry, into: InputFile[]): Promise<void> {
  if (into.length > INPUT_FILES_MAX) return;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    into.push({ path: entry.fullPath.replace(/^\//, ""), file });
  } else if (isFolder(entry)) {
    const reader = entry.createReader();
    // A reader gives its entries in parts, and none when there are no more.
    for (let part = await entriesOf(reader); part.length > 0; part = await entriesOf(reader))
      for (const child of part) await collect(child, into);
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

/** One line of the list of inputs: a file of the workspace's root, or a folder in it. */
export type InputGroup = { path: string; files: readonly InputFile[]; folder: boolean };

export function groupsOf(files: readonly InputFile[]): InputGroup[] {
  const groups = Map.groupBy(files, ({ path }) => path.split("/", 1)[0] ?? path);
  return [...groups].map(([path, inside]) => ({
    path,
    files: inside,
    folder: inside.some((file) => file.path !== path),
  }));
}
