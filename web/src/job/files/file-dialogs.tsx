import { useState } from "react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import { request } from "../../api/request.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogClose } from "../../ui/dialog.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { wordsOf } from "../../ui/trouble.tsx";
import { below, fileAddress, folderAddress, nameOf, type Place } from "./folders.ts";

/** What somebody is asked before something is changed. */
export type FileQuestion =
  | { kind: "rename"; entry: FileEntry }
  | { kind: "delete"; entry: FileEntry }
  | { kind: "folder"; folder: string };

export function FileDialog({
  place,
  question,
  onClose,
  onDone,
}: {
  place: Place;
  question: FileQuestion | null;
  onClose: () => void;
  /** What was changed; `to` is where it is now, null when it is gone. */
  onDone: (from: string, to: string | null) => void;
}) {
  if (question === null) return null;
  const close = { onClose, onDone };
  if (question.kind === "delete") return <DeleteDialog place={place} entry={question.entry} {...close} />;
  if (question.kind === "folder")
    return (
      <NameDialog
        title="New folder"
        label={question.folder === "" ? "Path of the folder" : `Path below ${visibleLine(question.folder)}`}
        name=""
        action="Make it"
        onClose={onClose}
        apply={async (name) => {
          const path = below(question.folder, name);
          await request(folderAddress(place, path), { method: "PUT" });
          onDone(path, path);
        }}
      />
    );
  const { path } = question.entry;
  return (
    <NameDialog
      title="Rename or move"
      label="Path below the root"
      name={path}
      action="Rename"
      onClose={onClose}
      apply={async (to) => {
        if (to !== path) await request(fileAddress(place, path), { method: "PATCH", json: { path: to } });
        onDone(path, to);
      }}
    />
  );
}

function NameDialog({
  title,
  label,
  name,
  action,
  apply,
  onClose,
}: {
  title: string;
  label: string;
  name: string;
  action: string;
  apply: (name: string) => Promise<void>;
  onClose: () => void;
}) {
  const [typed, setTyped] = useState(name);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    try {
      await apply(typed.trim());
      onClose();
    } catch (error) {
      setProblem(wordsOf(error).message);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} width="max-w-md" open onOpenChange={(open) => !open && onClose()}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Field label={label} {...(problem !== null && { error: problem })}>
          <Input
            autoFocus
            value={typed}
            spellCheck={false}
            className="font-mono"
            onFocus={({ target }) =>
              target.setSelectionRange(typed.length - nameOf(typed).length, typed.length)
            }
            onChange={({ target }) => setTyped(target.value)}
          />
        </Field>
        <div className="mt-4 flex justify-end gap-2">
          <DialogClose asChild>
            <Button>Cancel</Button>
          </DialogClose>
          <Button type="submit" look="primary" disabled={busy || typed.trim() === ""}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function DeleteDialog({
  place,
  entry,
  onClose,
  onDone,
}: {
  place: Place;
  entry: FileEntry;
  onClose: () => void;
  onDone: (from: string, to: null) => void;
}) {
  const [problem, setProblem] = useState<string | null>(null);
  const is_folder = entry.type === "folder";
  const remove = async (): Promise<void> => {
    try {
      const recursive = is_folder ? "&recursive=true" : "";
      await request(`${fileAddress(place, entry.path)}${recursive}`, { method: "DELETE" });
      onDone(entry.path, null);
      onClose();
    } catch (error) {
      setProblem(wordsOf(error).message);
    }
  };
  return (
    <Dialog
      title={is_folder ? "Delete this folder?" : "Delete this file?"}
      description={`It is gone for the agent too${is_folder ? ", with all that is in it" : ""}, and cannot be brought back.`}
      width="max-w-md"
      open
      onOpenChange={(open) => !open && onClose()}
    >
      <p className="untrusted font-mono text-sm">{visibleLine(entry.path)}</p>
      {problem !== null && (
        <p role="alert" className="untrusted mt-2 text-bad text-sm">
          {problem}
        </p>
      )}
      <div className="mt-4 flex justify-end gap-2">
        <DialogClose asChild>
          <Button>Keep it</Button>
        </DialogClose>
        <Button look="danger" onClick={() => void remove()}>
          Delete
        </Button>
      </div>
    </Dialog>
  );
}
