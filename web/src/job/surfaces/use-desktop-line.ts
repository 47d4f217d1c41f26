import { type RefObject, useEffect, useState } from "react";
import { DesktopLine, type LineState } from "./desktop-line.ts";
import { thisViewer, type Viewer } from "./viewer.ts";

type DesktopLineHeld = {
  line: LineState;
  /** The address of what the desktop showed last, while it is not connected. */
  picture: string | null;
  copied: string;
  setCopied(text: string): void;
  me: Viewer;
  /** Comes again under the name that is kept by now. */
  rename(): void;
  retry(): void;
};

/** A connection to the desktop of a job as long as the component lives, shown in `stage`. */
export function useDesktopLine(job_id: string, stage: RefObject<HTMLElement | null>): DesktopLineHeld {
  const [line, setLine] = useState<LineState>({ kind: "connecting" });
  const [picture, setPicture] = useState<string | null>(null);
  const [copied, setCopied] = useState("");
  const [me, setMe] = useState(thisViewer);
  useEffect(() => {
    if (stage.current === null) return;
    setLine({ kind: "connecting" });
    const told = { state: setLine, picture: setPicture, copied: setCopied };
    const held = new DesktopLine(job_id, { stage: stage.current, viewer: me, told });
    return () => held[Symbol.dispose]();
  }, [job_id, me, stage]);
  const again = (): void => setMe(thisViewer());
  return { line, picture, copied, setCopied, me, rename: again, retry: again };
}
