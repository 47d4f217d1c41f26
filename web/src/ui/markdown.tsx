import clsx from "clsx";
import { ImageOff } from "lucide-react";
import { useMemo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { webAddress } from "./web-address.ts";

/** Rendering more would hold up the page; the rest is shown as it is. */
const RENDERED_MAX_CHARS = 200_000;

const PLUGINS = [remarkGfm];

/**
 * Markdown that a sandbox or a model wrote: text only, no HTML of its own. Links lead to the web and nowhere else, in a tab that has no
 * hold on this one; pictures are named instead of loaded, because loading one tells somebody that it was looked at.
 */
export function Markdown({ text, className }: { text: string; className?: string }) {
  const rest = text.length > RENDERED_MAX_CHARS ? text.slice(RENDERED_MAX_CHARS) : "";
  const rendered = useMemo(
    () => (
      <ReactMarkdown remarkPlugins={PLUGINS} components={PARTS} urlTransform={linkOf}>
        {text.slice(0, RENDERED_MAX_CHARS)}
      </ReactMarkdown>
    ),
    [text],
  );
  return (
    <div className={clsx("untrusted flex min-w-0 flex-col gap-3 [&_li>p]:inline", className)}>
      {rendered}
      {rest !== "" && <pre className="whitespace-pre-wrap text-xs">{rest}</pre>}
    </div>
  );
}

function linkOf(address: string, key: string): string {
  return (key === "href" && webAddress(address)) || "";
}

const HEADING = "font-semibold text-ink text-balance";

/** Headings of a text are no headings of the page around it, so their levels begin below the page's. */
const PARTS: Components = {
  h1: ({ children }) => <h3 className={clsx(HEADING, "text-lg")}>{children}</h3>,
  h2: ({ children }) => <h4 className={clsx(HEADING, "text-base")}>{children}</h4>,
  h3: ({ children }) => <h5 className={clsx(HEADING, "text-base")}>{children}</h5>,
  h4: ({ children }) => <h6 className={clsx(HEADING, "text-sm")}>{children}</h6>,
  h5: ({ children }) => <h6 className={clsx(HEADING, "text-sm")}>{children}</h6>,
  h6: ({ children }) => <h6 className={clsx(HEADING, "text-sm")}>{children}</h6>,
  a: ({ href, children }) =>
    href === undefined || href === "" ? (
      <span>{children}</span>
    ) : (
      <a
        href={href}
        target="_blank"
        rel="noopener noreferrer nofollow"
        title={href}
        className="text-accent underline decoration-accent-line underline-offset-2 hover:decoration-current"
      >
        {children}
      </a>
    ),
  img: ({ alt }) => (
    <span className="inline-flex items-center gap-1 rounded-sm border px-1.5 py-0.5 text-quiet text-xs">
      <ImageOff aria-hidden className="size-3.5" />
      {alt === undefined || alt === "" ? "Picture" : alt}
    </span>
  ),
  ul: ({ children }) => <ul className="flex list-disc flex-col gap-1 pl-5 marker:text-faint">{children}</ul>,
  ol: ({ children, start }) => (
    <ol start={start} className="flex list-decimal flex-col gap-1 pl-6 marker:text-quiet">
      {children}
    </ol>
  ),
  blockquote: ({ children }) => (
    <blockquote className="flex flex-col gap-2 border-line-strong border-l-2 pl-3 text-soft">
      {children}
    </blockquote>
  ),
  pre: ({ children }) => (
    <pre
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled must be reachable by keyboard.
      tabIndex={0}
      className="overflow-x-auto rounded-md border bg-sunken px-3 py-2 text-xs leading-5 [&>code]:border-0 [&>code]:bg-transparent [&>code]:p-0"
    >
      {children}
    </pre>
  ),
  code: ({ children }) => (
    <code className="rounded-sm border bg-sunken px-1 py-px text-[0.92em]">{children}</code>
  ),
  hr: () => <hr className="border-line" />,
  table: ({ children }) => (
    <div className="overflow-x-auto">
      <table className="border-collapse text-sm">{children}</table>
    </div>
  ),
  th: ({ children }) => <th className="border px-2.5 py-1 text-left font-medium">{children}</th>,
  td: ({ children }) => <td className="border px-2.5 py-1 align-top">{children}</td>,
  input: ({ checked }) => (
    <input type="checkbox" checked={checked === true} readOnly disabled className="mr-1.5 align-middle" />
  ),
};
