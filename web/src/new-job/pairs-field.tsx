import { Plus, X } from "lucide-react";
import { Button, IconButton } from "../ui/button.tsx";
import { Input } from "../ui/field.tsx";
import { type Pair, withRow } from "./draft.ts";
import { type Faults, faultAt } from "./job-request.ts";

/** Names with values, a row each. Values that are secret are not shown while they are typed. */
export function PairsField({
  title,
  noun,
  hint,
  pairs,
  onChange,
  faults,
  loc,
  secret = false,
}: {
  title: string;
  noun: string;
  hint: string;
  pairs: readonly Pair[];
  onChange: (pairs: Pair[]) => void;
  faults: Faults;
  loc: string;
  secret?: boolean;
}) {
  const set = (key: number, change: Partial<Pair>) =>
    onChange(pairs.map((pair) => (pair.key === key ? { ...pair, ...change } : pair)));
  const general = faults.get(loc);
  return (
    <fieldset className="flex min-w-0 flex-col gap-1.5">
      <legend className="mb-1 font-medium text-soft text-xs">{title}</legend>
      {pairs.map(({ key, name, value }) => {
        const fault = name.trim() === "" ? undefined : faultAt(faults, `${loc}.${name.trim()}`);
        return (
          <div key={key} className="flex flex-col gap-1">
            <div className="flex items-center gap-1.5">
              <Input
                aria-label={`Name of the ${noun}`}
                placeholder="name"
                value={name}
                autoComplete="off"
                spellCheck={false}
                aria-invalid={fault !== undefined || undefined}
                onChange={({ target }) => set(key, { name: target.value })}
                className="font-mono"
              />
              <Input
                aria-label={`Value of the ${noun} ${name}`}
                placeholder="value"
                value={value}
                type={secret ? "password" : "text"}
                autoComplete={secret ? "new-password" : "off"}
                spellCheck={false}
                onChange={({ target }) => set(key, { value: target.value })}
                className="font-mono"
              />
              <IconButton
                label={`Remove the ${noun} ${name}`}
                size="md"
                onClick={() => onChange(pairs.filter((pair) => pair.key !== key))}
              >
                <X />
              </IconButton>
            </div>
            {fault !== undefined && <p className="text-bad text-xs">{fault}</p>}
          </div>
        );
      })}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button size="sm" onClick={() => onChange(withRow(pairs))}>
          <Plus aria-hidden />
          Add a {noun}
        </Button>
        <p className="text-quiet text-xs">{hint}</p>
      </div>
      {general !== undefined && (
        <p role="alert" className="text-bad text-xs">
          {general}
        </p>
      )}
    </fieldset>
  );
}
