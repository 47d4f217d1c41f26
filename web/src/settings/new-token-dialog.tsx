import { type FormEvent, useId, useState } from "react";
import type { TokenMade } from "../../../src/contract/sign-in-api.ts";
import { ApiError } from "../api/request.ts";
import { makeToken } from "../api/server.ts";
import { faultAt, faultsOf } from "../new-job/job-request.ts";
import { Button } from "../ui/button.tsx";
import { Dialog, DialogClose } from "../ui/dialog.tsx";
import { Field, Input } from "../ui/field.tsx";
import { Select } from "../ui/select.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { CodeSample } from "./code-sample.tsx";

const DAY_S = 24 * 3600;
const LIVES = [
  { value: String(7 * DAY_S), label: "In a week" },
  { value: String(30 * DAY_S), label: "In 30 days" },
  { value: String(90 * DAY_S), label: "In 90 days" },
  { value: String(365 * DAY_S), label: "In a year" },
  { value: "never", label: "Never" },
];
const USUAL_LIFE = String(90 * DAY_S);

/** Makes a token, and shows it this one time. */
export function NewTokenDialog({
  open,
  onOpenChange,
  onMade,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onMade: () => void;
}) {
  const [made, setMade] = useState<TokenMade | null>(null);
  const change = (wanted: boolean): void => {
    setMade(null);
    onOpenChange(wanted);
  };
  return (
    <Dialog
      title={made === null ? "New token" : `${made.name} is made`}
      description={
        made === null
          ? "For a program that is to come in as you."
          : "It is shown only now: copy it to where it is used."
      }
      open={open}
      onOpenChange={change}
      width="max-w-md"
    >
      {made === null ? (
        <Make
          onMade={(token) => {
            setMade(token);
            onMade();
          }}
        />
      ) : (
        <Made made={made} />
      )}
    </Dialog>
  );
}

function Make({ onMade }: { onMade: (made: TokenMade) => void }) {
  const [name, setName] = useState("");
  const [life, setLife] = useState(USUAL_LIFE);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const faults = faultsOf(error instanceof ApiError ? error.details : undefined);
  const make = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      onMade(await makeToken({ name, expires_in_s: life === "never" ? null : Number(life) }));
    } catch (cause) {
      setError(cause);
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void make(event)} className="flex flex-col gap-4">
      {error !== null && faults.size === 0 && <Trouble error={error} />}
      <Field label="Name" hint="What it is for, such as “nightly report”" error={faultAt(faults, "name")}>
        <Input
          value={name}
          required
          autoFocus
          autoComplete="off"
          onChange={({ target }) => setName(target.value)}
        />
      </Field>
      <Field label="Expires" error={faultAt(faults, "expires_in_s")}>
        <Select value={life} onChange={setLife} options={LIVES} />
      </Field>
      <div className="flex justify-end gap-2">
        <DialogClose asChild>
          <Button>Cancel</Button>
        </DialogClose>
        <Button look="primary" type="submit" disabled={busy || name.trim() === ""}>
          Make it
        </Button>
      </div>
    </form>
  );
}

function Made({ made }: { made: TokenMade }) {
  const id = useId();
  return (
    <div className="flex flex-col gap-4">
      <section aria-labelledby={id}>
        <h3 id={id} className="sr-only">
          The token
        </h3>
        <CodeSample text={made.token} label="Copy the token" />
      </section>
      <p className="text-quiet text-sm">
        The command line takes it as <code className="text-ink text-xs">SEALWORK_TOKEN</code>, beside{" "}
        <code className="text-ink text-xs">SEALWORK_URL</code>; other programs send{" "}
        <code className="text-ink text-xs">Authorization: Bearer …</code>
      </p>
      <div className="flex justify-end">
        <DialogClose asChild>
          <Button look="primary">Done</Button>
        </DialogClose>
      </div>
    </div>
  );
}
