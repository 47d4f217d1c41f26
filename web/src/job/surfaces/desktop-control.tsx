import { Hand, Undo2 } from "lucide-react";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogClose } from "../../ui/dialog.tsx";
import type { Driver } from "./desktop-driver.ts";

/** Takes the desktop over and gives it back; from somebody else after a question only. */
export function DesktopControl({
  driver,
  disabled,
  control,
}: {
  driver: Driver;
  disabled: boolean;
  control: (order: { take: boolean; force: boolean }) => void;
}) {
  const [asking, setAsking] = useState(false);
  if (driver.who === "you")
    return (
      <Button size="sm" disabled={disabled} onClick={() => control({ take: false, force: false })}>
        <Undo2 />
        Give back
      </Button>
    );
  if (driver.who === "agent")
    return (
      <Button
        look="person"
        size="sm"
        disabled={disabled}
        onClick={() => control({ take: true, force: false })}
      >
        <Hand />
        Take control
      </Button>
    );
  return (
    <Dialog
      title="Take over the desktop?"
      description="Whoever drives now loses keyboard and mouse at once, in the middle of what they do."
      width="max-w-md"
      open={asking}
      onOpenChange={setAsking}
      trigger={
        <Button look="person" size="sm" disabled={disabled}>
          <Hand />
          Take over
        </Button>
      }
    >
      <p className="untrusted text-sm">
        <span className="font-medium text-other">{driver.name}</span> drives at the moment.
      </p>
      <div className="mt-4 flex justify-end gap-2">
        <DialogClose asChild>
          <Button>Only watch</Button>
        </DialogClose>
        <Button
          look="person"
          onClick={() => {
            setAsking(false);
            control({ take: true, force: true });
          }}
        >
          Take over
        </Button>
      </div>
    </Dialog>
  );
}
