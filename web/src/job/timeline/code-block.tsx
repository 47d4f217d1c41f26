import { ChevronDown, ChevronUp } from "lucide-react";
import { visibleText } from "../../text/visible-text.ts";
import { MoreButton } from "./card.tsx";
import { useRemembered } from "./remembered.tsx";

const SHOWN_LINES = 10;
/** So few more are shown rather than offered. */
const SPARED_LINES = 4;

/** Code or other text of several lines; collapsed when it is long. */
export function CodeBlock({ id, text, cut = false }: { id: string; text: string; cut?: boolean }) {
  const [open, setOpen] = useRemembered<boolean>(`${id} code`);
  const lines = visibleText(text).trimEnd().split("\n");
  const long = lines.length > SHOWN_LINES + SPARED_LINES;
  const shown = long && open !== true ? lines.slice(0, SHOWN_LINES) : lines;
  return (
    <div className="flex min-w-0 flex-col items-start gap-1">
      <pre className="untrusted w-full min-w-0 whitespace-pre-wrap border-line-strong border-l-2 pl-3 text-xs [tab-size:4]">
        {shown.join("\n")}
        {cut && shown.length === lines.length && "\n…"}
      </pre>
      {long && (
        <MoreButton onClick={() => setOpen(open !== true)}>
          {open === true ? <ChevronUp aria-hidden /> : <ChevronDown aria-hidden />}
          {open === true ? "Show less" : `Show all ${lines.length} lines`}
        </MoreButton>
      )}
    </div>
  );
}
