import { useEffect, useState } from "react";

/** Inside a dialog that no trigger opened: when that is gone, the focus goes back to where it came from. */
export function FocusGivenBack() {
  // When this is made nothing in the dialog can have the focus yet.
  const [from] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      // Once the page behind can be reached again.
      setTimeout(() => {
        if (document.activeElement === document.body && from instanceof HTMLElement) from.focus();
      });
    },
    [from],
  );
  return null;
}
