import clsx from "clsx";
import { Eye, PencilLine, Sparkles } from "lucide-react";
import { type ReactNode, Suspense, useId, useState } from "react";
import { type ExampleTask, SCRIPTS, SENTENCES } from "../jobs/example-tasks.ts";
import { Button } from "../ui/button.tsx";
import { CodeEditor } from "../ui/code-editor.tsx";
import { lazyPart } from "../ui/load-part.ts";
import { Menu, MenuItem } from "../ui/menu.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { AddFiles } from "./add-files.tsx";
import type { Inputs } from "./inputs.ts";
import { InputsList } from "./inputs-list.tsx";

const Markdown = lazyPart(() => import("../text/markdown.tsx"), "Markdown");

/** The task in words, and the files that go with it. */
export function TaskCard({
  prompt,
  onChange,
  fault,
  inputs,
  onInputs,
  onExample,
}: {
  prompt: string;
  onChange: (prompt: string) => void;
  fault: string | undefined;
  inputs: Inputs;
  onInputs: (inputs: Inputs) => void;
  onExample: (example: ExampleTask) => void;
}) {
  const [preview, setPreview] = useState(false);
  const id = useId();
  return (
    <section
      aria-label="Task"
      className={clsx(
        "flex min-w-0 flex-col rounded-lg border bg-panel focus-within:border-accent-line",
        fault !== undefined && "border-bad-line",
      )}
    >
      <div className="flex flex-wrap items-center gap-1 border-b px-2 py-1.5">
        <View current={!preview} icon={<PencilLine />} onChoose={() => setPreview(false)}>
          Write
        </View>
        <View current={preview} icon={<Eye />} onChoose={() => setPreview(true)}>
          Preview
        </View>
        <div className="ml-auto flex items-center gap-1">
          <Examples onChoose={onExample} />
          <AddFiles inputs={inputs} onChange={onInputs} />
        </div>
      </div>
      {preview ? (
        <div className="h-[42vh] min-h-56 overflow-y-auto px-4 py-3">
          {prompt.trim() === "" ? (
            <p className="text-quiet text-sm">Nothing to preview yet.</p>
          ) : (
            <Suspense fallback={<Skeleton className="h-24" />}>
              <Markdown text={prompt} />
            </Suspense>
          )}
        </div>
      ) : (
        <CodeEditor
          value={prompt}
          onChange={onChange}
          language="markdown"
          label="Task"
          placeholder={PLACEHOLDER}
          autoFocus
          fault_id={fault === undefined ? undefined : id}
          className="h-[42vh] min-h-56"
        />
      )}
      {fault !== undefined && (
        <p
          id={id}
          role="alert"
          className="untrusted border-bad-line border-t bg-bad-soft px-4 py-2 text-bad text-sm"
        >
          {fault}
        </p>
      )}
      <InputsList inputs={inputs} onChange={onInputs} />
    </section>
  );
}

const PLACEHOLDER =
  "Describe the task in plain words, as you would to a colleague: what you have, what you want, how you will know that it is right.\n\nMarkdown is fine. Fenced blocks (```sh, ```python, ```js) run as they are when no model is configured.";

function View({
  current,
  icon,
  onChoose,
  children,
}: {
  current: boolean;
  icon: ReactNode;
  onChoose: () => void;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      aria-pressed={current}
      onClick={onChoose}
      className={clsx(
        "flex h-7 items-center gap-1.5 rounded-md px-2 text-xs [&_svg]:size-4",
        current ? "bg-hover font-medium text-ink" : "text-quiet hover:text-ink",
      )}
    >
      {icon}
      {children}
    </button>
  );
}

function Examples({ onChoose }: { onChoose: (example: ExampleTask) => void }) {
  return (
    <Menu
      trigger={
        <Button size="sm" look="ghost">
          <Sparkles aria-hidden />
          <span className="max-sm:sr-only">Examples</span>
        </Button>
      }
    >
      {[...SCRIPTS, ...SENTENCES].map((example) => (
        <MenuItem key={example.name} onSelect={() => onChoose(example)}>
          <span>
            {example.title}
            <span className="block max-w-80 text-quiet text-xs">{example.about}</span>
          </span>
        </MenuItem>
      ))}
    </Menu>
  );
}
