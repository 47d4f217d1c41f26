import { useState } from "react";
import { Dialog } from "../ui/dialog.tsx";
import { Keys } from "../ui/keys.tsx";
import { currentShortcuts } from "./shortcuts.ts";

/** What can be pressed on the page that is open. */
export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const [shortcuts] = useState(currentShortcuts);
  return (
    <Dialog title="Keyboard shortcuts" open onOpenChange={(open) => !open && onClose()} width="max-w-md">
      <dl className="divide-y">
        {shortcuts.map(({ keys, does }) => (
          <div key={keys} className="flex items-center justify-between gap-4 py-1.5">
            <dt className="text-sm">{does}</dt>
            <dd>
              <Keys keys={keys} />
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
