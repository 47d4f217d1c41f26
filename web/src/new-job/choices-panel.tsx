import { useId } from "react";
import type { Agent, Template } from "../../../src/contract/api.ts";
import { Field, Input } from "../ui/field.tsx";
import { type Option, Select } from "../ui/select.tsx";
import { agentOf, type Form, templateOf } from "./form.ts";
import { faultAt } from "./job-request.ts";

/** A select's option for the empty text; no template has such a name. */
const BY_ITSELF = "*";

/** Who works on it, with which model and where. */
export function ChoicesPanel({ form }: { form: Form }) {
  const { draft, change, faults, models } = form;
  const template = templateOf(form);
  const list = useId();
  const scripted = agentOf(form) === "script" && draft.agent === "script";
  return (
    <div className="flex flex-col gap-4">
      <Field label="Agent" error={faultAt(faults, "agent")} hint={agentHint(form)}>
        <Select value={draft.agent} onChange={(agent) => change({ agent })} options={agentOptions(form)} />
      </Field>
      <Field
        label="Model"
        error={faultAt(faults, "model")}
        hint={scripted ? "The script agent uses none." : "A name, or provider/name."}
      >
        <Input
          list={list}
          value={draft.model}
          placeholder={models.default_model ?? "none configured"}
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => change({ model: target.value })}
        />
      </Field>
      <datalist id={list}>
        {models.providers.map(({ name, default_model }) => (
          <option key={name} value={`${name}/${default_model ?? ""}`} />
        ))}
      </datalist>
      <Field label="Template" error={faultAt(faults, "template")} hint={template?.description}>
        <Select
          value={draft.template || BY_ITSELF}
          onChange={(name) => change({ template: name === BY_ITSELF ? "" : name })}
          options={templateOptions(form)}
        />
      </Field>
    </div>
  );
}

function agentHint(form: Form): string {
  if (form.draft.agent !== "auto") return OWN[form.draft.agent]?.does ?? "An agent CLI, in the sandbox.";
  return form.models.providers.length > 0
    ? "The native agent, as a model is configured."
    : "The script agent, as no model is configured.";
}

const OWN: Record<string, { label: string; does: string }> = {
  script: { label: "Script", does: "Runs the fenced blocks of the task, in order." },
  native: { label: "Native", does: "Plans, works with tools, checks its result." },
};

function agentOptions({ agents, templates, draft }: Form): Option[] {
  const options: Option[] = [
    { value: "auto", label: "Auto", hint: "Native when a model is configured, else the task's own blocks." },
    ...agents.map((agent) => ({
      value: agent.name,
      label: OWN[agent.name]?.label ?? agent.name,
      hint: OWN[agent.name]?.does ?? cliHint(agent, templates),
    })),
  ];
  return withChosen(options, draft.agent);
}

function cliHint({ protocol, template }: Agent, templates: readonly Template[]): string {
  const missing = template !== null && !templates.some(({ name }) => name === template);
  if (missing) return `Agent CLI; wants a template ${template}, which is not configured here.`;
  return `Agent CLI; wants a model of a provider that speaks ${protocol}.`;
}

function templateOptions(form: Form): Option[] {
  const { agents, templates, draft } = form;
  const own = agents.find(({ name }) => name === draft.agent)?.template ?? null;
  const fallback = own ?? templates.find((one) => one.default)?.name ?? "base";
  const options: Option[] = [
    {
      value: BY_ITSELF,
      label: `Default (${fallback})`,
      hint: own === null ? "The one of this server." : "The one that the agent wants.",
    },
    ...templates.map(({ name, description, image }) => ({
      value: name,
      label: name,
      hint: description || image,
    })),
  ];
  return withChosen(options, draft.template || BY_ITSELF);
}

/** A clone may name what this server no longer has; it is shown, and the server says what is wrong with it. */
function withChosen(options: Option[], value: string): Option[] {
  if (options.some((option) => option.value === value)) return options;
  return [...options, { value, label: value, hint: "Not known here." }];
}
