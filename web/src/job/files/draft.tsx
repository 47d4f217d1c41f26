import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import { request } from "../../api/request.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { useToasts } from "../../ui/toasts.tsx";
import { fileAddress, folderOf, folderQuery, listFolder, type Place } from "./folders.ts";

type Kept = {
  text: string;
  /** The file as it was when the changes began. */
  from: Pick<FileEntry, "modified_at" | "size_bytes"> | null;
};

export type Draft = {
  /** What was typed and not saved; null when nothing was. */
  text: string | null;
  saving: boolean;
  /** The file is another one by now, and saving waits for an answer. */
  conflict: boolean;
  set(text: string): void;
  drop(): void;
  save(force: boolean): void;
  endConflict(): void;
};

/** Changes to a file that are not saved yet; kept while one looks at other files and tabs. */
export function useDraft(place: Place, entry: FileEntry, onSaved: (text: string) => void): Draft {
  const client = useQueryClient();
  const { done, failed } = useToasts();
  const queryKey = ["draft", place.job_id, place.root, entry.path];
  const { data: kept = null } = useQuery<Kept | null>({
    queryKey,
    queryFn: () => null,
    enabled: false,
    initialData: null,
    gcTime: Number.POSITIVE_INFINITY,
  });
  const [saving, setSaving] = useState(false);
  const [conflict, setConflict] = useState(false);
  const put = (draft: Kept | null): void => void client.setQueryData(queryKey, draft);

  const now = async (): Promise<FileEntry | null> => {
    const { entries } = await listFolder(place, folderOf(entry.path), AbortSignal.timeout(30_000));
    return entries.find(({ path }) => path === entry.path) ?? null;
  };
  const save = async (force: boolean): Promise<void> => {
    if (kept === null) return;
    setSaving(true);
    setConflict(false);
    try {
      if (!force && !isSame(await now(), kept.from)) {
        setConflict(true);
        return;
      }
      await request(fileAddress(place, entry.path), { method: "PUT", body: kept.text });
      put(null);
      onSaved(kept.text);
      done("Saved");
      void client.invalidateQueries({ queryKey: folderQuery(place, folderOf(entry.path)).queryKey });
    } catch (error) {
      failed(error);
    } finally {
      setSaving(false);
    }
  };
  return {
    text: kept?.text ?? null,
    saving,
    conflict,
    set: (text) => {
      if (kept !== null) return put({ ...kept, text });
      put({ text, from: null });
      now().then(
        (from) => {
          const begun = client.getQueryData<Kept | null>(queryKey);
          if (begun) put({ ...begun, from });
        },
        // Without it saving asks whether to replace what is there.
        () => undefined,
      );
    },
    drop: () => put(null),
    save: (force) => void save(force),
    endConflict: () => setConflict(false),
  };
}

function isSame(a: FileEntry | null, b: Kept["from"]): boolean {
  return a !== null && b !== null && a.modified_at === b.modified_at && a.size_bytes === b.size_bytes;
}

/** Asks what counts when a file has changed under somebody's hands. */
export function SaveQuestion({ draft, onReload }: { draft: Draft; onReload: () => void }) {
  return (
    <Dialog
      title="The file has changed meanwhile"
      description="Somebody, most likely the agent, has written to it since you began."
      width="max-w-md"
      open={draft.conflict}
      onOpenChange={(open) => !open && draft.endConflict()}
    >
      <div className="mt-2 flex flex-wrap justify-end gap-2">
        <Button onClick={draft.endConflict}>Go on editing</Button>
        <Button
          onClick={() => {
            draft.endConflict();
            draft.drop();
            onReload();
          }}
        >
          Take theirs
        </Button>
        <Button look="danger" onClick={() => draft.save(true)}>
          Replace it with mine
        </Button>
      </div>
    </Dialog>
  );
}
