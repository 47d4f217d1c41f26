import { ChevronRight } from "lucide-react";
import { Collapsible } from "radix-ui";
import type { ReactNode } from "react";
import type { Approval, EgressPolicy } from "../../../src/contract/job.ts";
import { writeDuration, writeSize } from "../../../src/contract/typed-units.ts";
import { formatSize, formatSpan } from "../../../src/contract/units.ts";
import { Field, TextArea } from "../ui/field.tsx";
import { type Option, Select } from "../ui/select.tsx";
import { Switch } from "../ui/switch.tsx";
import { differencesOf } from "./differences.ts";
import { EGRESS_WORDS } from "./egress-words.ts";
import { type Form, templateOf } from "./form.ts";
import { faultAt } from "./job-request.ts";
import { PairsField } from "./pairs-field.tsx";
import { QuantityField } from "./quantity-field.tsx";

const AS_TEMPLATE = "*";
const APPROVAL: Option[] = [
  { value: "never", label: "Never", hint: "The sandbox is the wall." },
  {
    value: "risky",
    label: "Before what is risky",
    hint: "A host that is not listed; whatever an agent CLI asks leave for.",
  },
  { value: "always", label: "Before each step", hint: "All that runs or writes something, too." },
];

/** What a job may use, reach, spend and do unasked; folded away under a line that says what differs from the defaults. */
export function BoundsPanel({
  form,
  open,
  onOpenChange,
}: {
  form: Form;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const differences = differencesOf(form.draft);
  const limits = templateOf(form)?.limits;
  return (
    <Collapsible.Root open={open} onOpenChange={onOpenChange} className="border-t">
      <Collapsible.Trigger className="group flex w-full items-start gap-2 rounded-b-lg px-4 py-3 text-left hover:bg-hover focus-visible:outline-offset-[-2px]">
        <ChevronRight
          aria-hidden
          className="mt-0.5 size-4 shrink-0 text-quiet transition-transform group-data-[state=open]:rotate-90"
        />
        <span className="min-w-0">
          <span className="block font-medium text-sm">Limits, network, budget</span>
          <span className="block text-quiet text-xs">
            {differences.length > 0
              ? differences.join(" · ")
              : limits === undefined
                ? "As the template says"
                : `${limits.cpus} CPUs · ${formatSize(limits.memory_bytes)} memory · at most ${formatSpan(limits.timeout_s)}`}
          </span>
        </span>
      </Collapsible.Trigger>
      <Collapsible.Content className="flex flex-col gap-6 px-4 pt-1 pb-5">
        <LimitsGroup form={form} />
        <NetworkGroup form={form} />
        <BudgetGroup form={form} />
        <PeopleGroup form={form} />
        <OtherGroup form={form} />
      </Collapsible.Content>
    </Collapsible.Root>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-3">
      <h2 className="border-b pb-1 font-medium text-quiet text-xs">{title}</h2>
      {children}
    </section>
  );
}

function LimitsGroup({ form }: { form: Form }) {
  const limits = templateOf(form)?.limits;
  const as = (write: (of: NonNullable<typeof limits>) => string) =>
    limits === undefined ? "" : write(limits);
  return (
    <Group title="Limits">
      <div className="grid grid-cols-2 gap-3">
        <QuantityField form={form} name="cpus" label="CPUs" placeholder={as(({ cpus }) => String(cpus))} />
        <QuantityField
          form={form}
          name="memory"
          label="Memory"
          placeholder={as(({ memory_bytes }) => writeSize(memory_bytes))}
        />
        <QuantityField
          form={form}
          name="disk"
          label="Disk"
          placeholder={as(({ disk_bytes }) => writeSize(disk_bytes))}
        />
        <QuantityField
          form={form}
          name="pids"
          label="Processes"
          placeholder={as(({ pids }) => String(pids))}
        />
        <QuantityField
          form={form}
          name="timeout"
          label="Time"
          placeholder={as(({ timeout_s }) => writeDuration(timeout_s))}
        />
        <QuantityField
          form={form}
          name="idle_timeout"
          label="Idle time"
          placeholder={as(({ idle_timeout_s }) => writeDuration(idle_timeout_s))}
        />
      </div>
    </Group>
  );
}

function NetworkGroup({ form }: { form: Form }) {
  const { draft, change, faults } = form;
  const egress = templateOf(form)?.egress;
  const options: Option[] = [
    {
      value: AS_TEMPLATE,
      label:
        egress === undefined
          ? "As the template says"
          : `As the template: ${EGRESS_WORDS[egress.policy].toLowerCase()}`,
    },
    { value: "none", label: EGRESS_WORDS.none, hint: "No way out but to its model." },
    { value: "allow", label: EGRESS_WORDS.allow, hint: "The hosts below, and no others." },
    {
      value: "packages",
      label: EGRESS_WORDS.packages,
      hint: "npm, pip and apt as this machine has them, and the hosts below.",
    },
    {
      value: "internet",
      label: EGRESS_WORDS.internet,
      hint: "Every public host, nothing in your own network.",
    },
  ];
  const choose = (value: string): void => {
    const policy = options.find((one) => one.value === value)?.value ?? "";
    change({ egress: policy === AS_TEMPLATE ? "" : (policy as EgressPolicy) });
  };
  return (
    <Group title="Network">
      <Field label="It may reach" error={faultAt(faults, "egress.policy")}>
        <Select value={draft.egress || AS_TEMPLATE} onChange={choose} options={options} />
      </Field>
      {draft.egress !== "internet" && (
        <Field
          label="And these hosts"
          error={faultAt(faults, "egress.hosts")}
          hint="example.org, *.example.org or example.org:8443, one a line"
        >
          <TextArea
            rows={2}
            value={draft.hosts}
            spellCheck={false}
            onChange={({ target }) => change({ hosts: target.value })}
            className="font-mono"
          />
        </Field>
      )}
    </Group>
  );
}

function BudgetGroup({ form }: { form: Form }) {
  return (
    <Group title="Budget for the model">
      <div className="grid grid-cols-3 gap-3">
        <QuantityField form={form} name="max_tokens" label="Tokens" placeholder="no bound" />
        <QuantityField form={form} name="max_cost" label="Dollars" placeholder="no bound" />
        <QuantityField form={form} name="max_calls" label="Calls" placeholder="no bound" />
      </div>
    </Group>
  );
}

function PeopleGroup({ form }: { form: Form }) {
  const { draft, change, faults } = form;
  return (
    <Group title="You and the agent">
      <Field label="It asks you" error={faultAt(faults, "approval.policy")}>
        <Select
          value={draft.approval}
          onChange={(value) => change({ approval: value as Approval["policy"] })}
          options={APPROVAL}
        />
      </Field>
      <div className="grid grid-cols-2 gap-3">
        <QuantityField
          form={form}
          name="approval_timeout"
          label="Silence means no after"
          placeholder="never"
          hint="Such as 5m"
        />
        <QuantityField
          form={form}
          name="linger"
          label="Stay open after an answer"
          placeholder="0s"
          hint="For a follow-up, such as 10m"
        />
      </div>
    </Group>
  );
}

function OtherGroup({ form }: { form: Form }) {
  const { draft, change, faults } = form;
  return (
    <Group title="More">
      <PairsField
        title="Variables of its environment"
        noun="variable"
        hint="Never shown again."
        pairs={draft.env}
        onChange={(env) => change({ env })}
        faults={faults}
        loc="env"
        secret
      />
      <PairsField
        title="Labels"
        noun="label"
        hint="To find it by."
        pairs={draft.labels}
        onChange={(labels) => change({ labels })}
        faults={faults}
        loc="labels"
      />
      <div className="grid grid-cols-2 items-start gap-3">
        <QuantityField
          form={form}
          name="priority"
          label="Priority"
          placeholder="0"
          hint="Higher runs earlier"
        />
        <Field label="Keep a patch" hint="Of what changes in the files">
          <Switch checked={draft.patch} onChange={(patch) => change({ patch })} />
        </Field>
      </div>
    </Group>
  );
}
