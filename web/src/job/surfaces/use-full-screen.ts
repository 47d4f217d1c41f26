import { useEffect, useState } from "react";

/**
 * Shows a part of the page on the whole screen. The browser is asked to show the whole page so, and the part covers it, because menus and
 * dialogs are parts of the page too; a browser that cannot (phones) still shows it on the whole page.
 */
export function useFullScreen(): { full: boolean; setFull: (full: boolean) => void } {
  const [full, setShown] = useState(false);
  useEffect(() => {
    const changed = (): void => {
      if (document.fullscreenElement === null) setShown(false);
    };
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);
  const setFull = (wanted: boolean): void => {
    setShown(wanted);
    const { documentElement: page } = document;
    const done = wanted
      ? page.requestFullscreen?.()
      : document.fullscreenElement !== null && document.exitFullscreen();
    // Refused: it covers the page all the same.
    if (done instanceof Promise) done.catch(() => undefined);
  };
  return { full, setFull };
}
