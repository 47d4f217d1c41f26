import { Clipboard } from "lucide-react";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { Field, TextArea } from "../../ui/field.tsx";
import { Switch } from "../../ui/switch.tsx";
import { PopPanel } from "./pop-panel.tsx";

const CLIPBOARD_MAX_BYTES = 8 * 1024 * 1024;

/** What was copied on the desktop, and a way to put something there. */
export function DesktopClipboard({
  text,
  onText,
  shared,
  onShared,
  drives,
  send,
}: {
  text: string;
  onText: (text: string) => void;
  shared: boolean;
  onShared: (shared: boolean) => void;
  drives: boolean;
  send: (text: string) => void;
}) {
  const [sent, setSent] = useState<string | null>(null);
  const too_large = new Blob([text]).size > CLIPBOARD_MAX_BYTES;
  const note = !shared
    ? "The clipboard is switched off."
    : !drives
      ? "Take control to send something."
      : too_large
        ? "That is more than 8 MiB."
        : sent === text
          ? "Sent. Paste it on the desktop with Ctrl V."
          : null;
  return (
    <PopPanel
      title="Clipboard of the desktop"
      trigger={
        <Button look="ghost" size="sm" aria-label="Clipboard">
          <Clipboard />
          <span className="@max-2xl:hidden">Clipboard</span>
        </Button>
      }
    >
      <Field
        label="What is copied there appears here; what you put here can be sent there."
        {...(note !== null && { hint: note })}
      >
        <TextArea
          rows={6}
          value={text}
          onChange={({ target }) => onText(target.value)}
          spellCheck={false}
          placeholder="Nothing copied yet"
          className="untrusted font-mono text-xs"
        />
      </Field>
      <div className="flex items-center gap-2">
        <Button
          look="primary"
          size="sm"
          disabled={!shared || !drives || too_large || text === ""}
          onClick={() => {
            send(text);
            setSent(text);
          }}
        >
          Send to the desktop
        </Button>
        <CopyButton text={text} label="Copy to this computer" />
      </div>
      <div className="flex items-center justify-between gap-3 border-t pt-3">
        <div>
          <p className="text-sm">Clipboard passes in and out</p>
          <p className="text-quiet text-xs">For everybody at this desktop</p>
        </div>
        <Switch label="Clipboard passes in and out" checked={shared} onChange={onShared} />
      </div>
    </PopPanel>
  );
}
