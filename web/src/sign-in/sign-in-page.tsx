import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { ApiError, request } from "../api/request.ts";
import seal from "../assets/seal.svg";
import { useFeed } from "../feed/use-feed.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { Field, Input } from "../ui/field.tsx";
import { Trouble, wordsOf } from "../ui/trouble.tsx";
import { pageAfter } from "./page-after.ts";

/** Why somebody was sent here, by the word in the address. */
const FAILURES: Record<string, string> = {
  link: "That link has been used already, or is older than 30 seconds. Make a new one:",
};
const OTHER_FAILURE = "That did not sign you in. Try once more:";

/** The way in: a link from a terminal, or a token. */
export function SignInPage() {
  const { to, failed } = useSearch({ from: "/sign-in" });
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const feed = useFeed();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const signIn = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await request("/sign-in", { method: "POST", json: { token } });
      queries.clear();
      feed.retry();
      await navigate({ href: pageAfter(to, location.origin), replace: true });
    } catch (cause) {
      setError(cause);
      setBusy(false);
    }
  };
  const wrong = error instanceof ApiError && (error.status === 401 || error.status === 422);
  return (
    <main className="flex min-h-full flex-col items-center justify-center gap-6 p-4">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex flex-col items-center gap-3 text-center">
          <img src={seal} alt="" className="size-12" />
          <h1 className="font-semibold text-xl tracking-tight">Sign in to Sealwork</h1>
        </div>
        <div className="rounded-lg border bg-panel">
          <section aria-label="By a link" className="flex flex-col gap-2 px-5 py-4">
            {failed !== undefined && error === null && (
              <p role="alert" className="text-sm text-warn">
                {FAILURES[failed] ?? OTHER_FAILURE}
              </p>
            )}
            <p className="text-sm text-soft">
              In a terminal on the server's machine this opens the dashboard, signed in:
            </p>
            <p className="flex items-center justify-between rounded-md border bg-sunken py-1 pr-1 pl-3">
              <code className="text-sm">sealwork open</code>
              <CopyButton text="sealwork open" label="Copy the command" />
            </p>
          </section>
          <form
            onSubmit={(event) => void signIn(event)}
            className="flex flex-col gap-3 border-t px-5 pt-4 pb-5"
          >
            {error !== null && !wrong && <Trouble error={error} />}
            <Field
              label="Or give a token"
              error={wrong ? wordsOf(error).message : undefined}
              hint="The file token in the server's data folder holds one."
            >
              <Input
                type="password"
                name="token"
                autoComplete="current-password"
                autoFocus
                required
                value={token}
                onChange={({ target }) => setToken(target.value)}
                className="font-mono"
              />
            </Field>
            <Button look="primary" type="submit" disabled={busy || token.trim() === ""}>
              {busy ? "Signing in…" : "Sign in"}
            </Button>
          </form>
        </div>
      </div>
    </main>
  );
}
