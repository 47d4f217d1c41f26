import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { AppWindow, KeyRound, LogOut, Plus } from "lucide-react";
import { useState } from "react";
import type { Token } from "../../../src/contract/sign-in-api.ts";
import { formatAge } from "../../../src/contract/units.ts";
import { revokeToken, signOut, tokensQuery } from "../api/server.ts";
import { EMPTY_DRAFT } from "../new-job/draft.ts";
import { drafts } from "../new-job/use-draft.ts";
import { Button } from "../ui/button.tsx";
import { useNow } from "../ui/clock.ts";
import { Empty } from "../ui/empty.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Ago } from "../ui/time.tsx";
import { useToasts } from "../ui/toasts.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { NewTokenDialog } from "./new-token-dialog.tsx";
import { RevokeDialog } from "./revoke-dialog.tsx";
import { Badge, SettingsSection } from "./settings-section.tsx";

/** Who may come in: tokens that programs bear, and browsers that are signed in. */
export function TokensPage() {
  const { data, error, refetch } = useQuery(tokensQuery);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const leave = useLeave();
  const { failed, done } = useToasts();
  const signed_in = data?.tokens.some(({ current }) => current) === true;
  const out = () => signOut().then(leave, failed);
  const revoke = async ({ token_id, name, current }: Token): Promise<void> => {
    try {
      await revokeToken(token_id);
      setRevoking(null);
      if (current) return await leave();
      done(`${name} is revoked.`);
      await refetch();
    } catch (cause) {
      failed(cause);
    }
  };
  return (
    <SettingsSection
      title="Tokens"
      about="A token lets a program in as you: curl, a script, the command line on another machine. Browsers that are signed in stand here, too."
      actions={
        <>
          {signed_in && (
            <Button onClick={() => void out()}>
              <LogOut aria-hidden />
              Sign out
            </Button>
          )}
          <Button look="primary" onClick={() => setMaking(true)}>
            <Plus aria-hidden />
            New token
          </Button>
        </>
      }
    >
      {error !== null && <Trouble error={error} />}
      {data === undefined && error === null && <Skeleton className="h-32" />}
      {data !== undefined && (
        <TokenList tokens={data.tokens} onRevoke={setRevoking} onNew={() => setMaking(true)} />
      )}
      <NewTokenDialog open={making} onOpenChange={setMaking} onMade={() => void refetch()} />
      <RevokeDialog
        token={revoking}
        onClose={() => setRevoking(null)}
        onRevoke={(token) => void revoke(token)}
      />
    </SettingsSection>
  );
}

/** What was typed and what was read belongs to whom is signed in, so it goes with them. */
function useLeave(): () => Promise<void> {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return async () => {
    drafts.replace(EMPTY_DRAFT);
    await navigate({ to: "/sign-in", replace: true });
    queries.clear();
  };
}

function TokenList({
  tokens,
  onRevoke,
  onNew,
}: {
  tokens: readonly Token[];
  onRevoke: (token: Token) => void;
  onNew: () => void;
}) {
  if (tokens.length === 0)
    return (
      <div className="rounded-lg border border-dashed">
        <Empty
          icon={<KeyRound />}
          title="No tokens yet"
          actions={<Button onClick={onNew}>Make the first one</Button>}
        >
          The command line on this machine needs none: it reads the one in the server's data folder.
        </Empty>
      </div>
    );
  return (
    <ul className="divide-y rounded-lg border bg-panel">
      {tokens.map((token) => (
        <TokenRow key={token.token_id} token={token} onRevoke={() => onRevoke(token)} />
      ))}
    </ul>
  );
}

function TokenRow({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const { kind, name, made_at, last_used_at, expires_at, current } = token;
  return (
    <li className="flex items-center gap-3 px-4 py-3">
      <span
        aria-hidden
        className="flex size-8 shrink-0 items-center justify-center rounded-md bg-sunken text-quiet [&_svg]:size-4"
      >
        {kind === "token" ? <KeyRound /> : <AppWindow />}
      </span>
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-0.5 font-medium text-sm">
          <span className="untrusted">{name}</span>
          <span className="sr-only">, {kind === "token" ? "a token" : "a signed-in browser"}</span>
          {current && <Badge tone="accent">{kind === "browser" ? "this browser" : "in use here"}</Badge>}
        </p>
        <p className="flex flex-wrap gap-x-3 text-quiet text-xs">
          <span>
            Made <Ago at={made_at} />
          </span>
          <LastUse at={last_used_at} />
          <Expiry at={expires_at} />
        </p>
      </div>
      <Button
        look="ghost"
        size="sm"
        aria-label={kind === "token" ? `Revoke ${name}` : `Sign out ${name}`}
        onClick={onRevoke}
      >
        {kind === "token" ? "Revoke" : "Sign out"}
      </Button>
    </li>
  );
}

/** It is known to the minute only. */
const JUST_NOW_MS = 2 * 60_000;

function LastUse({ at }: { at: string | null }) {
  const now = useNow(at !== null);
  if (at === null) return <span>Never used</span>;
  if (now - Date.parse(at) < JUST_NOW_MS) return <span>Used just now</span>;
  return (
    <span>
      Last used <Ago at={at} />
    </span>
  );
}

const DAY_S = 24 * 3600;
const SOON_S = 3 * DAY_S;

function Expiry({ at }: { at: string | null }) {
  const now = useNow(at !== null);
  if (at === null) return <span>Never expires</span>;
  const seconds = (Date.parse(at) - now) / 1000;
  if (seconds <= 0) return <span className="text-bad">Expired</span>;
  return (
    <span className={seconds < SOON_S ? "text-warn" : undefined}>
      Expires in{" "}
      <time dateTime={at} title={new Date(at).toLocaleString()}>
        {formatAge(seconds < SOON_S ? seconds : Math.round(seconds / DAY_S) * DAY_S)}
      </time>
    </span>
  );
}
