import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { request } from "../api/request.ts";
import seal from "../assets/seal.svg";
import { useFeed } from "../feed/use-feed.ts";
import { Button } from "../ui/button.tsx";
import { Field, Input } from "../ui/field.tsx";
import { Trouble, wordsOf } from "../ui/trouble.tsx";

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
    try {
      await request("/sign-in", { method: "POST", json: { token } });
      queries.clear();
      feed.retry();
      await navigate({ href: pageOf(to), replace: true });
    } catch (cause) {
      setError(cause);
      setBusy(false);
    }
  };
  return (
    <main className="flex min-h-full items-center justify-center p-4">
      <div className="w-full max-w-sm rounded-lg border bg-panel p-6 shadow-pop/5">
        <img src={seal} alt="" className="mb-4 size-10" />
        <h1 className="font-semibold text-xl tracking-tight">Sign in to Sealwork</h1>
        <p className="mt-1 text-quiet text-sm">
          <code className="rounded-sm bg-sunken px-1 py-0.5 text-ink text-xs">sealwork open</code> in a
          terminal opens the dashboard signed in. Or give a token:
        </p>
        {failed !== undefined && error === null && (
          <div className="mt-4">
            <Trouble
              error={
                new Error(
                  "That link has been used, or is older than 30 seconds. Make a new one with sealwork open.",
                )
              }
            />
          </div>
        )}
        <form onSubmit={(event) => void signIn(event)} className="mt-4 flex flex-col gap-3">
          <Field
            label="Token"
            error={error === null ? undefined : wordsOf(error).message}
            hint="The file token in the server's data folder has one; Settings → Tokens makes more."
          >
            <Input
              type="password"
              autoComplete="current-password"
              autoFocus
              required
              value={token}
              onChange={({ target }) => setToken(target.value)}
            />
          </Field>
          <Button look="primary" type="submit" disabled={busy || token.trim() === ""}>
            Sign in
          </Button>
        </form>
      </div>
    </main>
  );
}

/** Only a page of ours: a path, never another site. */
function pageOf(to: string | undefined): string {
  return to !== undefined && /^\/(?![/\\])/.test(to) && !to.startsWith("/sign-in") ? to : "/";
}
