import clsx from "clsx";
import { memo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { isQuicklyLaidOut } from "./markdown-bounds.ts";
import { SafeLink } from "./safe-link.tsx";
import { visibleText } from "./visible-text.ts";

const PLUGINS = [remarkGfm];

const CODE = "rounded-sm bg-sunken px-1 py-px font-mono text-[0.92em]";

const COMPONENTS: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  // A picture from elsewhere would tell its owner who looks at it, and when.
  img: ({ alt, src }) => (
    <span className="text-quiet">[picture: {alt || (typeof src === "string" ? src : "without a name")}]</span>
  ),
  h1: ({ children }) => <h3 className="font-semibold text-base">{children}</h3>,
  h2: ({ children }) => <h3 className="font-semibold text-base">{children}</h3>,
  h3: ({ children }) => <h4 className="font-semibold text-sm">{children}</h4>,
  h4: ({ children }) => <h4 className="font-semibold text-sm">{children}</h4>,
  h5: ({ children }) => <h4 className="font-medium text-sm">{children}</h4>,
  h6: ({ children }) => <h4 className="font-medium text-sm">{children}</h4>,
  ul: ({ children }) => <ul className="list-disc pl-5 marker:text-faint">{children}</ul>,
  ol: ({ children, start }) => (
    <ol start={start} className="list-decimal pl-5 marker:text-quiet">
      {children}
    </ol>
  ),
  pre: ({ children }) => (
    <pre
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide one scrolls, which the keyboard must be able to do.
      tabIndex={0}
      className="overflow-x-auto rounded-md bg-sunken px-3 py-2 text-xs [&_code]:bg-transparent [&_code]:p-0"
    >
      {children}
    </pre>
  ),
  code: ({ children }) => <code className={CODE}>{children}</code>,
  blockquote: ({ children }) => (
    <blockquote className="flex flex-col gap-2 border-line-strong border-l-2 pl-3 text-soft">
      {children}
    </blockquote>
  ),
  table: ({ children }) => (
    <div className="overflow-x-auto">
      <table className="tabular border-collapse text-xs">{children}</table>
    </div>
  ),
  th: ({ children }) => <th className="border-b px-2 py-1 text-left font-medium">{children}</th>,
  td: ({ children }) => <td className="border-b px-2 py-1 align-top">{children}</td>,
  hr: () => <hr className="border-line" />,
  input: ({ checked }) => (
    <input type="checkbox" checked={checked === true} disabled aria-label="Done" className="mr-1.5" />
  ),
};

/** Markdown that a sandbox or a person wrote: no HTML, no pictures from elsewhere, links to the web only. What takes too long stays plain text. */
export const Markdown = memo(function Markdown({ text, className }: { text: string; className?: string }) {
  const seen = visibleText(text);
  const look = clsx("untrusted flex min-w-0 flex-col gap-2", className);
  if (!isQuicklyLaidOut(seen)) return <div className={clsx(look, "whitespace-pre-wrap")}>{seen}</div>;
  return (
    <div className={look}>
      <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS} skipHtml urlTransform={(url) => url}>
        {seen}
      </ReactMarkdown>
    </div>
  );
});
