import { queryOptions } from "@tanstack/react-query";
import type { FileEntry, FileList } from "../../../../src/contract/link-answers.ts";
import type { FileRoot } from "../../../../src/contract/surfaces.ts";
import { requestJson } from "../../api/request.ts";

/** Where the files of a job are looked at: live in its sandbox, or in its ZIP once it has ended. */
export type Place = { job_id: string; root: FileRoot; live: boolean };

const folderKey = ({ job_id, root, live }: Place) => ["files", job_id, root, live] as const;

/** One folder; the path of the root is empty. */
export const folderQuery = (place: Place, path: string) =>
  queryOptions({
    queryKey: [...folderKey(place), path],
    queryFn: ({ signal }) => listFolder(place, path, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Of all folders there. */
export const allFolders = (place: Place) => ({ queryKey: folderKey(place) });

/** Folders first, then by name as people sort. */
export async function listFolder(place: Place, path: string, signal: AbortSignal): Promise<FileList> {
  const query = new URLSearchParams({ root: place.root, ...(path !== "" && { path }) });
  const list = await requestJson<FileList>(`/jobs/${place.job_id}/files?${query}`, { signal });
  return { ...list, entries: list.entries.toSorted(inOrder) };
}

const names = new Intl.Collator(undefined, { numeric: true });

function inOrder(a: FileEntry, b: FileEntry): number {
  const folders = Number(b.type === "folder") - Number(a.type === "folder");
  return folders !== 0 ? folders : names.compare(nameOf(a.path), nameOf(b.path));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function below(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** The address of a file; every name is one segment, whatever is in it. */
export function fileAddress({ job_id, root }: Place, path: string): string {
  return `/jobs/${job_id}/files/${segments(path)}?root=${root}`;
}

export function folderAddress({ job_id, root }: Place, path: string): string {
  return `/jobs/${job_id}/folders/${segments(path)}?root=${root}`;
}

/** The address of a folder as a ZIP. */
export function archiveAddress({ job_id, root }: Place, path: string): string {
  return `/jobs/${job_id}/archive?${new URLSearchParams({ root, ...(path !== "" && { path }) })}`;
}

function segments(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
