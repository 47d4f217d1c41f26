import { useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { Markdown } from "../../text/markdown.tsx";
import { visibleText } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { Panel } from "./panel.tsx";

/** A longer prompt is shown as plain text: to lay it out would hold up the page. */
const MARKDOWN_MAX_CHARS = 60_000;

/** What the job was asked, whole. */
export function PromptPanel({ job: { prompt } }: { job: Job }) {
  const [plain, setPlain] = useState(prompt.length > MARKDOWN_MAX_CHARS);
  return (
    <Panel
      title="What was asked"
      end={
        <div className="-mr-2 flex items-center gap-1">
          <Button look="ghost" size="sm" aria-pressed={plain} onClick={() => setPlain(!plain)}>
            {plain ? "As Markdown" : "As plain text"}
          </Button>
          <CopyButton text={prompt} label="Copy the prompt" />
        </div>
      }
    >
      <div className="pt-1">
        {plain ? (
          <pre className="untrusted max-h-[40rem] overflow-y-auto whitespace-pre-wrap text-xs leading-5">
            {visibleText(prompt)}
          </pre>
        ) : (
          <Markdown text={prompt} />
        )}
      </div>
    </Panel>
  );
}
