import { Button } from "../../ui/button.tsx";
import { Dialog, DialogClose } from "../../ui/dialog.tsx";

/** Shows where a link of a program leads before it is followed; `address` is one of the web. */
export function LinkQuestion({ address, onDone }: { address: string | null; onDone: () => void }) {
  const host = address === null ? "" : (URL.parse(address)?.host ?? "");
  return (
    <Dialog
      title="Leave for another site?"
      description="A program in the sandbox shows this link."
      width="max-w-md"
      open={address !== null}
      onOpenChange={(open) => !open && onDone()}
    >
      <p className="untrusted font-medium">{host}</p>
      <p className="untrusted mt-1 max-h-40 overflow-auto font-mono text-quiet text-xs">{address}</p>
      <div className="mt-4 flex justify-end gap-2">
        <DialogClose asChild>
          <Button>Stay</Button>
        </DialogClose>
        <Button look="primary" asChild>
          <a href={address ?? "#"} target="_blank" rel="noopener noreferrer nofollow" onClick={onDone}>
            Open in a new tab
          </a>
        </Button>
      </div>
    </Dialog>
  );
}
