import { ExternalLink } from "lucide-react";
import type { ReactNode } from "react";

const LINK_MAX_CHARS = 2_000;

/** An address of the web, as a browser understands it; null for everything else that a link could be. */
export function webAddress(href: string | undefined): string | null {
  if (href === undefined || href.length > LINK_MAX_CHARS) return null;
  const url = URL.parse(href.trim());
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return null;
  // A name in front of the host is there to pass for the host.
  return url.username === "" && url.password === "" ? url.href : null;
}

/** A link that a sandbox wrote: only to the web, in a tab that knows nothing of this one, with its host for all to see. */
export function SafeLink({ href, children }: { href: string | undefined; children?: ReactNode }) {
  const address = webAddress(href);
  if (address === null) return <span title="This is no address of the web.">{children}</span>;
  return (
    <a
      href={address}
      title={address}
      target="_blank"
      rel="noopener noreferrer nofollow"
      className="text-accent underline decoration-accent-line underline-offset-2 hover:decoration-accent"
    >
      {children}
      <span className="text-quiet text-xs">
        {" "}
        ({new URL(address).hostname})
        <ExternalLink aria-label="opens in another tab" className="ml-0.5 inline size-3 align-baseline" />
      </span>
    </a>
  );
}
