import type { ReactNode } from "react";
import { Field, Input } from "../ui/field.tsx";
import type { Quantity } from "./draft.ts";
import type { Form } from "./form.ts";
import { faultAt, QUANTITIES } from "./job-request.ts";

/** A number with a unit; empty it is what the placeholder says. */
export function QuantityField({
  form,
  name,
  label,
  placeholder,
  hint,
}: {
  form: Form;
  name: Quantity;
  label: string;
  placeholder: string;
  hint?: ReactNode;
}) {
  return (
    <Field label={label} hint={hint} error={faultAt(form.faults, QUANTITIES[name].loc)}>
      <Input
        value={form.draft[name]}
        placeholder={placeholder}
        autoComplete="off"
        spellCheck={false}
        onChange={({ target }) => form.change({ [name]: target.value })}
      />
    </Field>
  );
}
