import clsx from "clsx";
import { Eye } from "lucide-react";
import { useState } from "react";
import type { DesktopView } from "../../../../src/contract/desktop-api.ts";
import { Button } from "../../ui/button.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { PopPanel } from "./pop-panel.tsx";
import { setViewerName, type Viewer, viewerName } from "./viewer.ts";

/** Who is at this desktop, and what the others call you. */
export function DesktopPeople({
  me,
  viewers,
  onRenamed,
}: {
  me: Viewer;
  viewers: DesktopView["viewers"];
  onRenamed: () => void;
}) {
  const [name, setName] = useState(viewerName);
  const here = viewers.filter(({ connections }) => connections > 0).length;
  const keep = (): void => {
    setViewerName(name);
    if (viewerName() !== me.name) onRenamed();
  };
  return (
    <PopPanel
      title="At this desktop"
      onOpenChange={(open) => !open && keep()}
      trigger={
        <Button look="ghost" size="sm" aria-label={`Who watches: ${Math.max(here, 1)}`}>
          <Eye />
          <span className="tabular">{Math.max(here, 1)}</span>
        </Button>
      }
    >
      <ul className="flex max-h-48 flex-col gap-1.5 overflow-y-auto">
        {viewers.map((one) => (
          <li key={one.viewer} className="flex items-baseline justify-between gap-3 text-sm">
            <span className="untrusted min-w-0">
              {one.name}
              {one.viewer === me.viewer && <span className="text-quiet"> (you)</span>}
            </span>
            <span
              className={clsx(
                "shrink-0 text-xs",
                !one.drives ? "text-quiet" : one.viewer === me.viewer ? "text-person" : "text-other",
              )}
            >
              {one.connections === 0 ? "away" : one.drives ? "drives" : "watches"}
            </span>
          </li>
        ))}
      </ul>
      <form
        className="border-t pt-3"
        onSubmit={(event) => {
          event.preventDefault();
          keep();
        }}
      >
        <Field label="Your name, as others see it" hint="Kept in this browser.">
          <Input value={name} maxLength={100} onChange={({ target }) => setName(target.value)} />
        </Field>
      </form>
    </PopPanel>
  );
}
