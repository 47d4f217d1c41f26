import { Link } from "@tanstack/react-router";
import { SquareTerminal, Webhook } from "lucide-react";
import { type ReactNode, useDeferredValue, useMemo, useState } from "react";
import { CopyButton } from "../ui/copy-button.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { cliLine, curlLine } from "./command-lines.ts";
import type { Draft } from "./draft.ts";
import type { Inputs } from "./inputs.ts";

/** What is shown of a line; all of it is copied. */
const SHOWN_MAX_CHARS = 6_000;

/** More files than these are no line that anybody wants; a folder or a ZIP is. */
const FILES_MAX = 200;

/** The same job from a terminal, as it stands at the moment. */
export function CommandPanel({ draft, inputs }: { draft: Draft; inputs: Inputs }) {
  const [way, setWay] = useState("cli");
  const later = useDeferredValue(
    draft.prompt.trim() === "" ? { ...draft, prompt: "What is to be done" } : draft,
  );
  const said = useMemo(() => ({ ...inputs, files: inputs.files.slice(0, FILES_MAX) }), [inputs]);
  const line = useMemo(
    () => (way === "cli" ? cliLine(later, said) : curlLine(later, said, serverOrigin())),
    [way, later, said],
  );
  return (
    <section
      aria-label="The same from a terminal"
      className="min-w-0 overflow-hidden rounded-lg border bg-panel"
    >
      <Tabs
        label="How to send it"
        tabs={[
          { value: "cli", label: "Command line", icon: <SquareTerminal /> },
          { value: "curl", label: "curl", icon: <Webhook /> },
        ]}
        value={way}
        onChange={setWay}
        end={<CopyButton text={line} label="Copy the command" />}
      >
        <pre
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled must be reachable by keyboard.
          tabIndex={0}
          className="untrusted max-h-56 overflow-auto whitespace-pre-wrap px-4 py-3 text-xs leading-5 focus-visible:outline-offset-[-2px]"
        >
          {line.length > SHOWN_MAX_CHARS ? `${line.slice(0, SHOWN_MAX_CHARS)} …` : line}
        </pre>
        <Notes draft={draft} inputs={inputs} way={way} />
      </Tabs>
    </section>
  );
}

function Notes({ draft, inputs, way }: { draft: Draft; inputs: Inputs; way: string }) {
  const notes: ReactNode[] = [];
  if (way === "curl")
    notes.push(
      <>
        <code>SEALWORK_TOKEN</code> is a token from{" "}
        <Link to="/settings/tokens" className="text-accent underline underline-offset-2">
          Settings
        </Link>
        .
      </>,
    );
  else notes.push("It shows the job live and saves its ZIP; with -d it only schedules.");
  if (draft.env.some(({ name }) => name !== ""))
    notes.push("Variables are taken from your shell, so no secret stands in the line.");
  if (inputs.files.length > 0) notes.push("Run it where the files are.");
  if (inputs.files.length > FILES_MAX)
    notes.push(
      `Only ${FILES_MAX} of the ${inputs.files.length.toLocaleString("en")} files stand in the line: from a terminal send their folder with --dir.`,
    );
  if (inputs.archive !== null && way === "cli")
    notes.push("The command line sends folders instead of ZIPs, and keeps a patch of what changes.");
  return (
    <ul className="flex flex-col gap-0.5 border-t px-4 py-2 text-quiet text-xs">
      {notes.map((note, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines have no state.
        <li key={n}>{note}</li>
      ))}
    </ul>
  );
}

/** Programs reach a server of this machine by its address, whatever resolves names for them. */
function serverOrigin(): string {
  const { protocol, hostname, host, port } = location;
  return hostname.endsWith("localhost") ? `${protocol}//127.0.0.1:${port}` : `${protocol}//${host}`;
}
