import { ArrowDownToLine, Download } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { formatCount, formatSize } from "../../../../src/contract/units.ts";
import { TerminalText } from "../../text/terminal-text.tsx";
import { visibleLine } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import { OutputLines, type OutputState } from "./output-lines.ts";

const LINE_PX = 18;
/** Browsers lay out nothing that is taller than some ten million pixels; more lines than that are scrolled through faster. */
const HEIGHT_MAX_PX = 8_000_000;
const OVERSCAN = 8;
const NOTHING: OutputState = { lines: 0, bytes: 0, whole: false, error: null };

type Props = { job_id: string; step: number; title: string; ended: boolean; trigger: ReactNode };

/** All that a step wrote, line by line; of a step that runs also what it still writes. */
export function OutputDialog({ job_id, step, title, ended, trigger }: Props) {
  const path = `/jobs/${job_id}/logs?step=${step}`;
  return (
    <Dialog
      trigger={trigger}
      title={`Output of step ${step}`}
      description={<span className="untrusted line-clamp-1 font-mono">{visibleLine(title)}</span>}
      size="full"
    >
      <Lines path={ended ? path : `${path}&follow`} download={path} name={`step-${step}.log`} />
    </Dialog>
  );
}

function Lines({ path, download, name }: { path: string; download: string; name: string }) {
  const [output, setOutput] = useState<OutputLines | null>(null);
  const [state, setState] = useState(NOTHING);
  const place = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [to_end, setToEnd] = useState(false);
  useEffect(() => {
    const opened = new OutputLines(path, setState);
    setOutput(opened);
    return () => opened.close();
  }, [path]);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  const tall = state.lines * LINE_PX;
  const height = Math.min(tall, HEIGHT_MAX_PX);
  // Above the bound the scroll bar's way stands for a longer one.
  const factor = height > view.height ? (tall - view.height) / (height - view.height) : 1;
  const offset = Math.max(0, view.top * factor);
  const first = Math.max(0, Math.floor(offset / LINE_PX) - OVERSCAN);
  const last = Math.min(state.lines, Math.ceil((offset + view.height) / LINE_PX) + OVERSCAN);
  useEffect(() => output?.want(last), [output, last]);
  useEffect(() => {
    const element = place.current;
    if (!to_end || element === null) return;
    element.scrollTop = element.scrollHeight;
    if (state.whole) setToEnd(false);
  }, [to_end, state]);
  const goToEnd = () => {
    output?.wantAll();
    setToEnd(true);
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-2">
      <div className="flex items-center gap-2 text-quiet text-xs">
        <span className="tabular mr-auto" role="status">
          {state.whole
            ? `${formatCount(state.lines)} lines, ${formatSize(state.bytes)}`
            : `The first ${formatSize(state.bytes)}; more is loaded as you scroll`}
        </span>
        <Button size="sm" onClick={goToEnd}>
          <ArrowDownToLine aria-hidden />
          To the end
        </Button>
        <Button size="sm" asChild>
          <a href={download} download={name}>
            <Download aria-hidden />
            Download
          </a>
        </Button>
      </div>
      {state.error !== null && <Trouble error={state.error} />}
      <section
        ref={place}
        aria-label="Lines of the output"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled must be reached by keyboard.
        tabIndex={0}
        className="min-h-0 flex-1 overflow-auto rounded-md bg-sunken font-mono text-xs [overflow-anchor:none] [tab-size:8]"
      >
        <div className="relative w-max min-w-full" style={{ height }}>
          <div className="absolute left-0 min-w-full" style={{ top: view.top - offset + first * LINE_PX }}>
            {output !== null &&
              numbersBetween(first, last).map((line) => <Line key={line} output={output} index={line} />)}
          </div>
        </div>
      </section>
    </div>
  );
}

function numbersBetween(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
}

function Line({ output, index }: { output: OutputLines; index: number }) {
  return (
    <div dir="ltr" className="flex h-[18px] leading-[18px]">
      <span
        aria-hidden
        className="sticky left-0 w-16 shrink-0 select-none bg-sunken pr-3 text-right text-quiet"
      >
        {index + 1}
      </span>
      <span className="whitespace-pre pr-4 [unicode-bidi:isolate]">
        <TerminalText line={output.line(index)} />
      </span>
    </div>
  );
}
