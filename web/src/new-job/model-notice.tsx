import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import { Info } from "lucide-react";
import { Button } from "../ui/button.tsx";
import type { Form } from "./form.ts";
import { type Need, needOf } from "./model-need.ts";

/** Says before it is sent what the server would refuse for want of a model or of steps, and what to do about it. */
export function ModelNotice({ form, onBlock }: { form: Form; onBlock: () => void }) {
  const { draft, agents, models } = form;
  const need = needOf(draft, { agents, providers: models.providers });
  if (need === null) return null;
  return (
    <div
      role="status"
      className={clsx(
        "flex flex-wrap items-start gap-x-3 gap-y-2 rounded-lg border px-4 py-3 text-sm sm:flex-nowrap",
        draft.prompt.trim() === "" ? "bg-panel" : "border-warn-line bg-warn-soft",
      )}
    >
      <Info aria-hidden className="mt-0.5 size-4 shrink-0 text-warn max-sm:hidden" />
      <div className="min-w-0 sm:flex-1">
        <p className="font-medium text-ink">{TITLES[need]}</p>
        <p className="text-soft">
          {need === "steps" ? (
            "The script agent runs fenced blocks (```sh, ```python, ```js), and the task has none yet."
          ) : (
            <>
              Start the server with <code className="text-xs">GEMINI_API_KEY</code> (or{" "}
              <code className="text-xs">OPENAI_API_KEY</code>,{" "}
              <code className="text-xs">ANTHROPIC_API_KEY</code>) in its environment; <Models /> shows how,
              for Ollama too.
              {need === "model_or_steps" && " Or write the steps as fenced blocks, which need no model."}
            </>
          )}
        </p>
      </div>
      {need !== "model" && (
        <Button size="sm" onClick={onBlock}>
          Insert a block
        </Button>
      )}
    </div>
  );
}

const TITLES: Record<Exclude<Need, null>, string> = {
  model: "No model is configured that this agent could work with.",
  steps: "There is nothing to run yet.",
  model_or_steps: "No model is configured, so plain words alone cannot be worked on.",
};

function Models() {
  return (
    <Link to="/settings/models" className="text-accent underline underline-offset-2">
      Settings → Models
    </Link>
  );
}
