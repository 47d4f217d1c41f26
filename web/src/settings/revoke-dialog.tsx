import type { Token } from "../../../src/contract/sign-in-api.ts";
import { Button } from "../ui/button.tsx";
import { Dialog, DialogClose } from "../ui/dialog.tsx";

/** Asks before somebody or something is shut out. */
export function RevokeDialog({
  token,
  onClose,
  onRevoke,
}: {
  token: Token | null;
  onClose: () => void;
  onRevoke: (token: Token) => void;
}) {
  if (token === null) return null;
  return (
    <Dialog
      title={token.kind === "token" ? "Revoke this token?" : "Sign this browser out?"}
      description={<span className="untrusted">{token.name}</span>}
      open
      onOpenChange={(open) => !open && onClose()}
      width="max-w-md"
    >
      <p className="text-sm text-soft">{consequence(token)}</p>
      <div className="mt-5 flex justify-end gap-2">
        <DialogClose asChild>
          <Button>Keep it</Button>
        </DialogClose>
        <Button look="danger" onClick={() => onRevoke(token)}>
          {token.kind === "token" ? "Revoke" : "Sign out"}
        </Button>
      </div>
    </Dialog>
  );
}

function consequence({ kind, current }: Token): string {
  if (current) return "You are here by it, so you will be signed out at once.";
  if (kind === "browser") return "What it has open ends, and it needs a token or a link to come in again.";
  return "Programs that use it are refused from then on, and what they have open ends. It cannot be brought back.";
}
